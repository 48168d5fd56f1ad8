//! Moving processes into the groups.

use std::fs;
use std::io;
use std::time::Duration;

use super::dir::Version;
use super::{Cgroup, Group, hierarchy, walk};
use crate::failure::{Context, Outcome};

/// How often a move is tried, and what is waited in between: a process that is being born can be moved
/// a little later.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(30);

impl Cgroup {
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
