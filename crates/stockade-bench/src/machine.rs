//! What it is measured on.

use std::fs;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Host;

/// Looks at this machine.
pub(crate) fn look() -> Host {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let user = if rustix::process::geteuid().is_root() { "root" } else { "user" };
    Host {
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpus: thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: memory("MemTotal:"),
        cgroup: hierarchies(&read("/proc/self/cgroup")).to_owned(),
        user: user.to_owned(),
        load_before: load(),
        load_after: 0.0,
    }
}

/// As many open files as this process may have, until this value is dropped: a thousand sandboxes
/// take some descriptors each, here and in their helper.
#[derive(Debug)]
pub(crate) struct ManyFiles(Rlimit);

impl ManyFiles {
    pub(crate) fn allow() -> Self {
        let before = getrlimit(Resource::Nofile);
        let most = Rlimit { current: before.maximum, maximum: before.maximum };
        // Where it is refused, fewer are alive at once, and the results say how many.
        let _ = setrlimit(Resource::Nofile, most);
        Self(before)
    }
}

impl Drop for ManyFiles {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, self.0);
    }
}

/// The load average of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// Bytes that can be had without swapping.
pub(crate) fn available() -> u64 {
    memory("MemAvailable:")
}

/// A line of `/proc/meminfo`, in bytes.
fn memory(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kibibytes(&text, key).unwrap_or_default() * 1024
}

/// The number behind `key` in a text like `/proc/meminfo`.
pub(crate) fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Which interfaces the text of `/proc/self/cgroup` shows; see cgroups(7).
fn hierarchies(text: &str) -> &'static str {
    let lists = || text.lines().filter_map(|line| line.split(':').nth(1));
    let v1 = lists().any(|list| !list.is_empty() && !list.starts_with("name="));
    match (v1, lists().any(str::is_empty)) {
        (true, true) => "hybrid",
        (true, false) => "v1",
        (false, true) => "v2",
        (false, false) => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_told_by_their_controllers() {
        assert_eq!(hierarchies("0::/"), "v2");
        assert_eq!(hierarchies("4:memory:/\n1:name=systemd:/"), "v1");
        assert_eq!(hierarchies("4:memory:/\n0::/"), "hybrid");
        assert_eq!(hierarchies(""), "none");
    }

    #[test]
    fn a_number_is_found_by_its_key() {
        let text = "MemTotal:  16 kB\nMemFree:  8 kB\n";
        assert_eq!(kibibytes(text, "MemFree:"), Some(8));
        assert_eq!(kibibytes(text, "Swap:"), None);
    }
}
