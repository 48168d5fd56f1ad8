//! [`Sample`]: what a process, its wardens and the kernel hold at one moment.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::flat::Law;
use crate::processes::{self, Process};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name in the data.
    pub name: &'static str,
    /// How much it may grow.
    pub law: Law,
    read: fn(&View) -> Option<u64>,
}

/// What is read once for a sample.
struct View {
    own: u32,
    beneath: Vec<Process>,
    slabs: String,
    memory: String,
}

const fn ceiling(name: &'static str, slack: f64, read: fn(&View) -> Option<u64>) -> Measure {
    Measure { name, law: Law::Ceiling(slack), read }
}

const fn slope(
    name: &'static str,
    each: f64,
    noise: f64,
    read: fn(&View) -> Option<u64>,
) -> Measure {
    Measure { name, law: Law::Slope { each, noise }, read }
}

const MIB: f64 = 1024.0 * 1024.0;

/// All that is measured: first of this process and its wardens, then of the whole machine, on which
/// others live too.
pub const MEASURES: [Measure; 18] = [
    slope("resident", 16.0, 4.0 * MIB, |view| memory(&[view.own])),
    ceiling("threads", 1.0, |view| entries(&format!("/proc/{}/task", view.own))),
    ceiling("descriptors", 4.0, |view| entries(&format!("/proc/{}/fd", view.own))),
    ceiling("mappings", 64.0, |view| lines("/proc/self/maps", view.own)),
    ceiling("mounts", 2.0, |_| Some(read("/proc/self/mountinfo").lines().count() as u64)),
    ceiling("processes", 0.0, |view| Some(view.beneath.len() as u64)),
    ceiling("cgroups", 16.0, |view| Some(cgroups(view.own).len() as u64)),
    slope("warden_resident", 4.0, MIB / 4.0, |view| memory(&view.wardens())),
    ceiling("warden_descriptors", 32.0, |view| {
        view.wardens().iter().map(|id| entries(&format!("/proc/{id}/fd"))).sum()
    }),
    ceiling("network_namespaces", 16.0, |view| links(&view.wardens(), "net:[")),
    slope("kernel_network_namespaces", 0.001, 64.0, |view| view.slab("net_namespace")),
    slope("kernel_pid_namespaces", 0.001, 256.0, |view| view.slab("pid_namespace")),
    slope("kernel_mounts", 0.001, 512.0, |view| view.slab("mnt_cache")),
    slope("kernel_tasks", 0.001, 256.0, |view| view.slab("task_struct")),
    slope("kernel_memory_cgroups", 0.001, 256.0, |_| memory_cgroups()),
    slope("kernel_open_files", 0.001, 2048.0, |_| number(&read("/proc/sys/fs/file-nr"))),
    slope("slab_unreclaimable", 64.0, 64.0 * MIB, |view| view.meminfo("SUnreclaim:")),
    // With the caches of all files that anybody opens; they are kept until memory is short.
    slope("slab_with_file_caches", 0.0, f64::INFINITY, |view| view.meminfo("Slab:")),
];

/// Values of [`MEASURES`], in their order; `None` for what cannot be read here.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Runs so far.
    pub runs: u64,
    /// Bytes, or a count.
    pub values: Vec<Option<u64>>,
}

impl Sample {
    /// Measures now.
    pub fn take(runs: u64) -> Self {
        let own = std::process::id();
        let view = View {
            own,
            beneath: processes::beneath(own),
            slabs: read("/proc/slabinfo"),
            memory: read("/proc/meminfo"),
        };
        Self { runs, values: MEASURES.iter().map(|measure| (measure.read)(&view)).collect() }
    }

    /// As a line of data.
    pub fn line(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let values = MEASURES.iter().zip(&self.values);
        let runs = ("runs", self.runs.into());
        std::iter::once(runs).chain(values.map(|(measure, value)| (measure.name, (*value).into())))
    }
}

impl View {
    fn wardens(&self) -> Vec<u32> {
        let wardens = self.beneath.iter().filter(|one| one.is_warden());
        wardens.map(|one| one.id).collect()
    }

    /// Objects of a slab cache; see slabinfo(5). Root alone can read it.
    fn slab(&self, cache: &str) -> Option<u64> {
        let is_it = |line: &&str| line.split_whitespace().next() == Some(cache);
        number(self.slabs.lines().find(is_it)?.strip_prefix(cache)?)
    }

    fn meminfo(&self, key: &str) -> Option<u64> {
        let line = self.memory.lines().find_map(|line| line.strip_prefix(key))?;
        number(line).map(|kib| kib * 1024)
    }
}

/// Bytes resident in these processes together.
fn memory(ids: &[u32]) -> Option<u64> {
    ids.iter()
        .map(|id| processes::kibibytes(*id, "VmRSS"))
        .sum::<Option<u64>>()
        .map(|kib| kib << 10)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn lines(path: &str, _: u32) -> Option<u64> {
    Some(read(path).lines().count() as u64)
}

fn number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

fn entries(path: &str) -> Option<u64> {
    Some(fs::read_dir(path).ok()?.count() as u64)
}

/// Descriptors of these processes whose target begins so.
fn links(ids: &[u32], prefix: &str) -> Option<u64> {
    let mut found = 0;
    for id in ids {
        for entry in fs::read_dir(format!("/proc/{id}/fd")).ok()?.flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            found += u64::from(target.to_string_lossy().starts_with(prefix));
        }
    }
    Some(found)
}

/// Groups of the memory controller, those that were removed and still hold pages included; see
/// cgroups(7), `/proc/cgroups`.
fn memory_cgroups() -> Option<u64> {
    let text = read("/proc/cgroups");
    let line = text.lines().find_map(|line| line.strip_prefix("memory\t"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The cgroup directories that the process `host` has for its sandboxes, and all beneath them.
pub fn cgroups(host: u32) -> Vec<String> {
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), &format!("stockade-{host}-"), false, &mut found);
    found
}

fn walk(dir: &Path, prefix: &str, inside: bool, found: &mut Vec<String>) {
    // Groups come and go while they are read.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let ours = inside || entry.file_name().to_string_lossy().starts_with(prefix);
        if ours {
            found.push(entry.path().display().to_string());
        }
        walk(&entry.path(), prefix, ours, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_sees_what_this_process_holds() {
        let value = |sample: &Sample, name: &str| {
            let at = MEASURES.iter().position(|one| one.name == name).expect("it is measured");
            sample.values[at].expect("it can be read")
        };
        let before = Sample::take(0);
        let held: Vec<_> = (0..64).map(|_| fs::File::open("/dev/null")).collect();
        let heap = vec![1u8; 64 << 20];
        let after = Sample::take(1);
        let grown = |name: &str| value(&after, name).saturating_sub(value(&before, name));
        // Other tests of this binary may open or close one as well.
        assert!(grown("descriptors") >= 48, "{before:?}, then {after:?}");
        assert!(grown("resident") >= 60 << 20, "{before:?}, then {after:?}");
        drop((held, heap));
    }

    #[test]
    fn caches_of_the_kernel_are_found_by_their_whole_name() {
        let slabs = "mnt_cache_old 7 7\nmnt_cache    63     70    384\n".to_owned();
        let memory = "Slab:   100 kB\n".to_owned();
        let view = View { own: 1, beneath: Vec::new(), slabs, memory };
        assert_eq!(view.slab("mnt_cache"), Some(63));
        assert_eq!(view.slab("mnt"), None);
        assert_eq!(view.meminfo("Slab:"), Some(102_400));
    }
}
