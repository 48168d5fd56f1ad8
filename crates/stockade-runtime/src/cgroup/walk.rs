//! Walks over a group and all that are in it, as a container may have made them: with any names, as
//! deep and as wide as its limits let it, and while it still makes some.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::dir::Dir;

/// Longest pause between two attempts to remove a group.
const MAX_PAUSE: Duration = Duration::from_millis(50);
/// How many processes are held at a time.
const BATCH: usize = 128;

/// Calls `enter` for `top`, then for each group in it before those inside, and `leave` for each
/// but `top` after those inside, with the group it is in and its name.
///
/// Only one descriptor is held at a time, so no depth of groups exhausts them, and nothing recurses.
/// A group that vanishes meanwhile is passed over.
fn walk(
    top: Dir,
    mut enter: impl FnMut(&Dir) -> io::Result<()>,
    mut leave: impl FnMut(&Dir, &CStr) -> io::Result<()>,
) -> io::Result<()> {
    enter(&top)?;
    let mut waiting: Vec<Vec<CString>> = vec![children(&top)?];
    let mut names: Vec<CString> = Vec::new();
    let mut here = top;
    loop {
        match waiting.last_mut().and_then(Vec::pop) {
            Some(name) => match here.child(&name) {
                Ok(child) => {
                    enter(&child)?;
                    waiting.push(children(&child)?);
                    names.push(name);
                    here = child;
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            },
            None => {
                waiting.pop();
                let Some(name) = names.pop() else { return Ok(()) };
                here = here.above()?;
                leave(&here, &name)?;
            }
        }
    }
}

/// The groups in one; none if it is gone.
fn children(dir: &Dir) -> io::Result<Vec<CString>> {
    match dir.children() {
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        names => names,
    }
}

/// Whether an error says that a group is not there any more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// Calls `what` for each group, from the top down.
pub(super) fn each(top: Dir, what: impl FnMut(&Dir) -> io::Result<()>) -> io::Result<()> {
    walk(top, what, |_, _| Ok(()))
}

/// The processes in a group itself, in the caller's pid namespace.
pub(super) fn members(dir: &Dir) -> io::Result<Vec<i32>> {
    let text = match dir.read("cgroup.procs") {
        Err(error) if is_gone(&error) => String::new(),
        // A group in threaded mode has no processes of its own; they show in the one above.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => String::new(),
        text => text?,
    };
    // Zero stands for a process outside of the namespace.
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect())
}

/// The processes in a group and in those inside.
pub(super) fn all_members(top: Dir) -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    each(top, |dir| {
        pids.extend(members(dir)?);
        Ok(())
    })?;
    Ok(pids)
}

/// Sends a signal to each process that is in the group itself.
///
/// A number may have been given to a stranger before a descriptor held on to it. So some are held at a
/// time, and those that are still in the group then are meant.
pub(super) fn signal(dir: &Dir, signal: Signal) -> io::Result<()> {
    let own = rustix::process::getpid();
    for batch in members(dir)?.chunks(BATCH) {
        let mut held = Vec::with_capacity(batch.len());
        for pid in batch.iter().filter_map(|&pid| Pid::from_raw(pid)).filter(|&pid| pid != own) {
            match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(process) => held.push((pid.as_raw_nonzero().get(), process)),
                // It is gone, or it has only threads left in other groups.
                Err(Errno::SRCH | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let still: HashSet<i32> = members(dir)?.into_iter().collect();
        for (_, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
            match pidfd_send_signal(process, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Removes the group `name` of `parent` with all that is in it, killing what still runs there. One
/// that is gone is fine.
///
/// # Errors
/// `EBUSY` if something is still there at the deadline; anything else the kernel says.
pub(super) fn remove(parent: &Dir, name: &CStr, deadline: Instant) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        match parent.unmake(name) {
            Ok(()) => return Ok(()),
            Err(Errno::BUSY | Errno::NOTEMPTY) => {}
            Err(error) => return Err(error.into()),
        }
        // What the first look found may fork before it dies, and make new groups: again, then.
        match parent.child(name).and_then(clear) {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
        if parent.unmake(name).is_ok() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Errno::BUSY.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Removes the groups in one that are empty.
pub(super) fn prune(top: Dir) -> io::Result<()> {
    walk(top, |_| Ok(()), unmake_empty)
}

/// Kills what is in a group and removes the groups in it, as far as they let themselves be.
fn clear(top: Dir) -> io::Result<()> {
    let kill = |dir: &Dir| {
        // On version 1 a frozen process does not die, and a container may have frozen its own.
        if dir.has("freezer.state") {
            let _ = dir.write("freezer.state", "THAWED");
        }
        signal(dir, Signal::KILL)
    };
    walk(top, kill, unmake_empty)
}

fn unmake_empty(parent: &Dir, name: &CStr) -> io::Result<()> {
    match parent.unmake(name) {
        Ok(()) | Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
