//! Removing a cgroup with everything in it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, unlinkat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::files;

/// How long processes may take to die.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(50);
/// How deep groups may be nested: base and run, with room for a guest that was given a cgroup.
const MAX_DEPTH: u32 = 8;

/// Kills all processes in the group `name`, which `dir` is, and in its descendants, and removes
/// them. A group that is gone already is fine.
///
/// # Errors
/// `EBUSY` if processes are still there after `patience`; anything else the kernel says.
pub(super) fn remove(
    parent: BorrowedFd<'_>,
    name: &str,
    dir: BorrowedFd<'_>,
    patience: Duration,
) -> io::Result<()> {
    // Version 2 kills a whole subtree at once (Linux 5.14); elsewhere the file is not there.
    let _ = files::write(dir, "cgroup.kill", "1");
    remove_until(parent, name, dir, Instant::now() + patience, MAX_DEPTH)
}

fn remove_until(
    parent: BorrowedFd<'_>,
    name: &str,
    dir: BorrowedFd<'_>,
    deadline: Instant,
    depth: u32,
) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY | Errno::NOTEMPTY) => {}
            Err(error) => return Err(error.into()),
        }
        if Instant::now() >= deadline || depth == 0 {
            return Err(Errno::BUSY.into());
        }
        kill(dir);
        for child in children(dir)? {
            match files::open_child(dir, &child) {
                Ok(fd) => remove_until(dir, &child, fd.as_fd(), deadline, depth - 1)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // The first attempt after the children are gone need not wait.
        if unlinkat(parent, name, AtFlags::REMOVEDIR).is_ok() {
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Names of the child groups.
pub(super) fn children(dir: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if entry.file_type() == FileType::Directory && name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Kills the processes that are in the group itself. One that cannot be killed shows as a group
/// that cannot be removed.
fn kill(dir: BorrowedFd<'_>) {
    let members = || -> Vec<i32> {
        let text = files::read(dir, "cgroup.procs").unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    for pid in members() {
        // Zero stands for a process outside of this process's pid namespace.
        let Some(pid) = Pid::from_raw(pid).filter(|&pid| pid != rustix::process::getpid()) else {
            continue;
        };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // The number may have been given to a stranger before the descriptor held on to it.
        if members().contains(&pid.as_raw_nonzero().get()) {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}
