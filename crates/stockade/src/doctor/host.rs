//! [`Host`]: where and as whom this was asked.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::waiting::Waiting;

/// Where and as whom this was asked.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Host {
    /// The architecture, as Rust names it.
    pub arch: &'static str,
    /// `uname -r`
    pub kernel: Option<String>,
    /// Effective user id.
    pub uid: Option<u32>,
    /// `v1`, `v2` or `hybrid`: the hierarchies this process is in; null for none.
    pub cgroups: Option<&'static str>,
    /// Whether a seccomp filter is installed on this process.
    pub seccomp: bool,
    /// The engine whose container this is, as far as it can be told.
    pub container: Option<String>,
    /// What waits on it for a start.
    pub waiting: Waiting,
}

impl Host {
    /// Looks at this process and its kernel.
    pub fn look() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        let field = |name: &str, at: usize| -> Option<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().nth(at)?.parse().ok()
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let uid = field("Uid:", 1);
        Self {
            arch: std::env::consts::ARCH,
            kernel: kernel.map(|release| release.trim().to_owned()),
            uid,
            cgroups: hierarchies(&text("/proc/self/cgroup")),
            seccomp: field("Seccomp:", 0) == Some(2),
            container: container(),
            waiting: Waiting::look(uid),
        }
    }
}

/// Which interfaces the text of `/proc/self/cgroup` shows; see cgroups(7). A named hierarchy has no
/// controller, and an empty list stands for version 2.
pub(super) fn hierarchies(text: &str) -> Option<&'static str> {
    let lists = || text.lines().filter_map(|line| line.split(':').nth(1));
    let v1 = lists().any(|list| !list.is_empty() && !list.starts_with("name="));
    let v2 = lists().any(str::is_empty);
    match (v1, v2) {
        (true, true) => Some("hybrid"),
        (true, false) => Some("v1"),
        (false, true) => Some("v2"),
        (false, false) => None,
    }
}

fn container() -> Option<String> {
    let marks = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let marked = marks.iter().find(|(path, _)| Path::new(path).exists());
    let named = || std::env::var("container").ok().filter(|name| !name.is_empty());
    marked.map(|(_, name)| (*name).to_owned()).or_else(named)
}
