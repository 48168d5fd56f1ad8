//! Moving processes into the groups.
//!
//! To move another process, or one with threads, the kernel stops every fork(2) and exit of the machine
//! and waits for RCU: milliseconds. A process with one thread that moves itself by `tasks`, which only
//! version 1 has, is spared that, and so is one that is born in its group on version 2. [`Doors`] is for
//! both; [`Cgroup::enter`] is for what cannot be done so.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::OFlags;

use super::create::is_forbidden;
use super::dir::{Version, write_once};
use super::{Cgroup, Group, hierarchy, walk};
use crate::failure::{Context, Outcome};

/// How often a move is tried, and what is waited in between: a process that is being born can be moved
/// a little later.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(30);

/// The groups, opened, for a new process that goes into them by itself. See the head of this file.
#[derive(Debug)]
pub(crate) struct Doors {
    /// The group on version 2.
    unified: Option<OwnedFd>,
    /// How to get there when one was not born in it.
    unified_procs: Option<OwnedFd>,
    tasks: Vec<OwnedFd>,
    /// Whether a group that refuses is no failure.
    lenient: bool,
}

impl Doors {
    /// The group on version 2, to be born in, by `CLONE_INTO_CGROUP`. Not on hybrid hosts alone.
    pub(crate) fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(OwnedFd::as_fd)
    }

    /// Whether there is no other group than the one on version 2.
    pub(crate) fn are_one(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Moves the calling process, which must have one thread. `born` is whether it was born in
    /// [`Self::birthplace`].
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn pass(&self, born: bool) -> Outcome<()> {
        let unified = self.unified_procs.iter().filter(|_| !born);
        for door in self.tasks.iter().chain(unified) {
            match write_once(door.as_fd(), "0") {
                Err(error) if self.lenient && is_forbidden(&error) => {}
                done => done.context(|| "moving into the container's control groups".into())?,
            }
        }
        Ok(())
    }
}

impl Cgroup {
    /// Opens the groups for a process that is about to be made. `None` where a unit of systemd is to be
    /// started, which takes [`Self::enter`].
    ///
    /// # Errors
    /// If a group is not there.
    pub(crate) fn doors(&self) -> Outcome<Option<Doors>> {
        if self.pending.is_some() {
            return Ok(None);
        }
        let lenient = self.rootless && !self.explicit && !self.limited;
        let mut doors = Doors { unified: None, unified_procs: None, tasks: Vec::new(), lenient };
        for group in &self.groups {
            let shown = || format!("opening {}", group.shown());
            let dir = match group.open() {
                Err(error) if walk::is_gone(&error) && self.can_lack(group, &error) => continue,
                dir => dir.context(shown)?,
            };
            let file = if group.version == Version::V2 { "cgroup.procs" } else { "tasks" };
            let door = match dir.open(file, OFlags::WRONLY) {
                Err(error) if lenient && is_forbidden(&error) => continue,
                door => door.context(shown)?,
            };
            if group.version == Version::V2 {
                (doors.unified, doors.unified_procs) = (Some(dir.into()), Some(door));
            } else {
                doors.tasks.push(door);
            }
        }
        Ok(Some(doors))
    }

    /// Moves a process with all its threads into every group.
    ///
    /// # Errors
    /// What the kernel or systemd says.
    pub(crate) fn enter(&self, pid: i32) -> Outcome<()> {
        self.enter_beside(pid, None)
    }

    /// As [`Self::enter`]. A container may have made sub-groups with controllers on version 2, and its own
    /// group takes no process any more: a new one then goes where the container's `init` is.
    ///
    /// # Errors
    /// What the kernel or systemd says.
    pub(crate) fn enter_beside(&self, pid: i32, init: Option<i32>) -> Outcome<()> {
        let seats = match (&self.scope, &self.pending) {
            (Some(scope), Some(resources)) => {
                let path = self.groups.first().map_or("", |group| &group.path);
                scope.start(pid, path, resources, self.version())?;
                Some((self.make_for_scope(resources)?, resources))
            }
            _ => None,
        };
        // Limits first, so that the process is never without.
        if let Some((seats, resources)) = &seats {
            self.set(seats, resources)?;
        }
        for group in &self.groups {
            match group.enter(pid, init) {
                Ok(()) => {}
                Err(error) if self.forgives(&error) && !self.limited => {}
                // A user in a session of its own may not take a process out of that; managers may.
                Err(error) if is_forbidden(&error) && self.scope.is_some() => {
                    self.scope.as_ref().map_or(Ok(()), |scope| scope.attach(pid))?;
                }
                // It could not be made for a unit, and need not be.
                Err(error) if walk::is_gone(&error) && self.can_lack(group, &error) => {}
                Err(error) => {
                    return Err(error)
                        .context(|| format!("moving process {pid} into {}", group.shown()));
                }
            }
        }
        Ok(())
    }
}

impl Group {
    fn enter(&self, pid: i32, init: Option<i32>) -> io::Result<()> {
        let dir = self.open()?;
        let line = pid.to_string();
        for _ in 1..ATTEMPTS {
            match dir.write("cgroup.procs", &line) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    let Some(init) = init.filter(|_| self.version == Version::V2) else {
                        return Err(error);
                    };
                    return self.enter_where(init, &line);
                }
                done => return done,
            }
        }
        dir.write("cgroup.procs", &line)
    }

    /// Goes where another process is, which must be in this group.
    fn enter_where(&self, other: i32, line: &str) -> io::Result<()> {
        let groups = fs::read_to_string(format!("/proc/{other}/cgroup"))?;
        let path = hierarchy::unified_path(&groups).unwrap_or_default();
        // The mount may start below what the path starts at.
        let own = format!("{}/", self.path);
        let inner =
            path.strip_prefix(&own).or_else(|| Some(path.split_once(&format!("/{own}"))?.1));
        let inner = inner.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.open()?.below(inner)?.write("cgroup.procs", line)
    }
}
