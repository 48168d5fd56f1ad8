//! Sandboxes that wait on this host, built and unused, of whichever process; found in `/proc` by what
//! their processes are called.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// What a program is called that waits right before its `execve`, and what stands above it.
const WAITING: &str = "stockade-wait";
const HELPER: &str = "stockade-warden";

/// What this host has waiting, as far as it can be seen.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// How many sandboxes; null where `/proc` cannot be read.
    pub sandboxes: Option<usize>,
    /// How many helper processes they belong to: one for each process that has some, or two.
    pub helpers: Option<usize>,
}

/// A process, as far as it says who it is.
struct Process {
    name: String,
    parent: u32,
    user: u32,
    /// Its number in the innermost pid namespace that it is in.
    inner: u32,
}

impl Waiting {
    /// Counts what waits for programs of this user; for those of all users if this one is root.
    pub(super) fn look(user: Option<u32>) -> Self {
        user.map_or(Self::default(), |user| Self::look_in(Path::new("/proc"), user))
    }

    pub(super) fn look_in(proc: &Path, user: u32) -> Self {
        let Ok(entries) = fs::read_dir(proc) else { return Self::default() };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut helpers: Vec<u32> = ids.filter_map(|id| helper_of(proc, id, user)).collect();
        let sandboxes = helpers.len();
        helpers.sort_unstable();
        helpers.dedup();
        Self { sandboxes: Some(sandboxes), helpers: Some(helpers.len()) }
    }
}

/// The helper in whose hands the process `id` waits, if it does. Anybody can call a process anything,
/// so its parents must be called right as well, and the last be the user's. The program of a sandbox
/// that runs has such parents too; but no more than one process there is the second of its namespace.
fn helper_of(proc: &Path, id: u32, user: u32) -> Option<u32> {
    let waiting = Process::read(proc, id).filter(Process::is_waiting)?;
    let init = Process::read(proc, waiting.parent).filter(|process| process.name == HELPER)?;
    let helper = Process::read(proc, init.parent).filter(|process| process.name == HELPER)?;
    (user == 0 || helper.user == user).then_some(init.parent)
}

impl Process {
    /// What proc_pid_status(5) says of it; `None` if it is gone, or hidden.
    fn read(proc: &Path, id: u32) -> Option<Self> {
        let text = fs::read_to_string(proc.join(id.to_string()).join("status")).ok()?;
        let fields = |key: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
            Some(rest.split_whitespace())
        };
        Some(Self {
            name: fields("Name:")?.next()?.to_owned(),
            parent: fields("PPid:")?.next()?.parse().ok()?,
            user: fields("Uid:")?.next()?.parse().ok()?,
            inner: fields("NSpid:")?.next_back()?.parse().ok()?,
        })
    }

    fn is_waiting(&self) -> bool {
        self.name == WAITING && self.inner == 2
    }
}
