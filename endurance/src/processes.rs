//! The processes of this machine, as proc(5) tells.

use std::fs;

/// One process, zombies included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its name, as `PR_SET_NAME` has it.
    pub name: String,
    /// Its state, one letter.
    pub state: char,
    /// Whether it is in a pid namespace below the reader's.
    pub nested: bool,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let value = |key: &str| {
            let value = |line: &str| line.strip_prefix(key)?.strip_prefix(':').map(str::to_owned);
            text.lines().find_map(value)
        };
        Some(Self {
            id,
            parent: value("PPid")?.trim().parse().ok()?,
            name: value("Name")?.trim().to_owned(),
            state: value("State")?.trim().chars().next()?,
            nested: value("NSpid").is_some_and(|ids| ids.split_whitespace().count() > 1),
        })
    }

    /// Whether it is a warden, or was one: its inits have the same name, in pid namespaces of
    /// their own.
    pub fn is_warden(&self) -> bool {
        self.name == "stockade-warden" && !self.nested
    }
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let ids = fs::read_dir("/proc").into_iter().flatten();
    let ids = ids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(Process::read).collect()
}

/// Every process beneath `root`, itself not included.
pub fn beneath(root: u32) -> Vec<Process> {
    beneath_in(root, &all())
}

fn beneath_in(root: u32, all: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let (mut parent, mut next) = (root, 0);
    loop {
        found.extend(all.iter().filter(|one| one.parent == parent).cloned());
        let Some(process) = found.get(next) else { return found };
        (parent, next) = (process.id, next + 1);
    }
}

/// The line of a process's status that starts so, in kibibytes.
pub fn kibibytes(id: u32, key: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_found_whatever_the_order() {
        let process =
            |id, parent| Process { id, parent, name: String::new(), state: 'S', nested: false };
        let all = [process(5, 4), process(2, 1), process(4, 2), process(9, 8), process(3, 2)];
        let mut found: Vec<u32> = beneath_in(2, &all).iter().map(|one| one.id).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4, 5]);
    }

    #[test]
    fn a_child_is_seen_beneath_its_parent() {
        let mut child =
            std::process::Command::new("sleep").arg("60").spawn().expect("it can be started");
        let found = beneath(std::process::id());
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
        assert!(found.iter().any(|one| one.id == child.id() && !one.is_warden()), "{found:?}");
        assert!(!beneath(std::process::id()).iter().any(|one| one.id == child.id()));
    }
}
