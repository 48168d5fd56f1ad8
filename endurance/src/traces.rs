//! [`Scene`]: what a host process leaves behind when it ends.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, WaitOptions, waitpid};

use crate::processes::{self, Process};
use crate::sample::cgroups;

/// What was there before a host was.
///
/// This process must be a subreaper (`PR_SET_CHILD_SUBREAPER`): whatever a dead host leaves behind
/// then is beneath it, and no process can be missed.
#[derive(Debug)]
pub struct Scene {
    mounts: BTreeSet<String>,
    temporary: PathBuf,
}

/// In-memory files of Stockade's, by device and inode.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Files(BTreeSet<(u64, u64)>);

impl Scene {
    /// Looks around. A host that is started now keeps its temporary files in `temporary`.
    pub fn new(temporary: &Path) -> Self {
        Self { mounts: mounts(), temporary: temporary.to_owned() }
    }

    /// What is left of the host process `host`, in words; nothing, if nothing is. `files` are those
    /// it and its wardens had.
    pub fn left(&self, host: u32, files: &Files) -> Vec<String> {
        let mut left: Vec<String> = remaining(None).iter().map(describe).collect();
        left.extend(cgroups(host).into_iter().map(|path| format!("cgroup {path}")));
        left.extend(mounts().difference(&self.mounts).map(|line| format!("mount {line}")));
        for entry in fs::read_dir(&self.temporary).into_iter().flatten().flatten() {
            left.push(format!("file {}", entry.path().display()));
        }
        if left.is_empty() && !files.0.is_empty() {
            // The last, since it reads every descriptor of the machine.
            let holders = processes::all().into_iter();
            let holders = holders.filter(|one| !Files::of(one.id).0.is_disjoint(&files.0));
            left.extend(holders.map(|one| format!("memory file held by {}", describe(&one))));
        }
        left
    }
}

/// Every process beneath this one, once those that have ended are reaped. `except` is somebody
/// else's to reap, and is left out with its children.
pub fn remaining(except: Option<u32>) -> Vec<Process> {
    let own = std::process::id();
    let found = processes::beneath(own).into_iter();
    let found = found.filter(|one| Some(one.id) != except && Some(one.parent) != except);
    found.filter(|one| one.state != 'Z' || one.parent != own || !reap(one.id)).collect()
}

fn reap(id: u32) -> bool {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    waitpid(id, WaitOptions::NOHANG).is_ok_and(|ended| ended.is_some())
}

fn describe(process: &Process) -> String {
    let Process { id, parent, name, state, .. } = process;
    format!("process {id} ({name}, {state}, child of {parent})")
}

fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Files {
    /// Those which a host and all beneath this process hold, as far as this user may look.
    pub fn around(host: u32) -> Self {
        let own = std::process::id();
        let all = processes::beneath(own).into_iter().map(|one| one.id).chain([host]);
        Self(all.flat_map(|id| Self::of(id).0).collect())
    }

    /// Those which a process has open or executes.
    fn of(id: u32) -> Self {
        let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        let open = open.map(|entry| entry.path());
        let all = open.chain([PathBuf::from(format!("/proc/{id}/exe"))]);
        let ours = all.filter(|link| {
            fs::read_link(link).is_ok_and(|path| path.to_string_lossy().starts_with(MEMORY_FILE))
        });
        let file = |link: PathBuf| Some(fs::metadata(link).ok()?).map(|one| (one.dev(), one.ino()));
        Self(ours.filter_map(file).collect())
    }
}

/// How the target of a descriptor of a memfd begins; see proc(5) and memfd_create(2).
const MEMORY_FILE: &str = "/memfd:stockade-";

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::process::Command;

    /// A directory of this test's, removed when dropped.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::create_dir(&path).expect("nobody else has it");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn left(scene: &Scene, files: &Files, what: &str) -> bool {
        let left = scene.left(u32::MAX, files);
        left.iter().any(|line| line.starts_with(what))
    }

    #[test]
    fn a_process_a_file_and_a_memory_file_that_stay_are_found() {
        let temporary = Directory::new("stockade-traces");
        let scene = Scene::new(&temporary.0);
        let none = Files::default();
        assert!(!left(&scene, &none, "file"));

        fs::write(temporary.0.join("left"), "").expect("it can be written");
        assert!(left(&scene, &none, "file"));
        fs::remove_file(temporary.0.join("left")).expect("it is there");

        let mut child = Command::new("sleep").arg("60").spawn().expect("it starts");
        assert!(left(&scene, &none, "process"));
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
        assert!(
            crate::soon(std::time::Duration::from_secs(3), || { !left(&scene, &none, "process") })
                .is_some()
        );

        let file = memfd_create("stockade-test", MemfdFlags::CLOEXEC).expect("it can be made");
        let files = Files::around(std::process::id());
        assert_eq!(files.0.len(), 1);
        assert!(left(&scene, &files, "memory file"));
        drop(file);
        assert!(!left(&scene, &files, "memory file"));
    }

    #[test]
    fn a_mount_and_a_cgroup_that_stay_are_found() {
        let temporary = Directory::new("stockade-scene");
        let mut scene = Scene::new(&temporary.0);
        assert!(!left(&scene, &Files::default(), "mount"));
        scene.mounts.pop_first().expect("something is mounted");
        assert!(left(&scene, &Files::default(), "mount"));
        // No group of that name can be made in /sys without privilege.
        assert_eq!(cgroups(u32::MAX), Vec::<String>::new());
    }
}
