//! [`Oom`]: hears of processes that the kernel killed for want of memory.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::OFlags;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::dir::{Dir, Version};
use super::freezer;
use crate::failure::{Context, Outcome};

/// What became of a group since it was last asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Processes were killed.
    pub(crate) killed: bool,
    /// The group is gone, or on version 2 has no process any more: nothing else will happen.
    pub(crate) over: bool,
}

/// Waits for one group. Its descriptor is readable, see poll(2), when [`Oom::read`] has something.
#[derive(Debug)]
pub(crate) struct Oom {
    group: Dir,
    version: Version,
    /// An eventfd on version 1, where the kernel counts it up; an inotify descriptor on version 2.
    signal: OwnedFd,
    killed: u64,
}

impl Oom {
    pub(super) fn new(group: Dir, version: Version) -> Outcome<Self> {
        let shown = || format!("listening to {}", group.shown.display());
        let signal = match version {
            Version::V1 => listen_v1(&group),
            Version::V2 => listen_v2(&group),
        }
        .context(shown)?;
        let killed = count(&group);
        Ok(Self { group, version, signal, killed })
    }

    /// What happened; does not wait.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn read(&mut self) -> Outcome<Event> {
        let mut buffer = [0; 4096];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.signal, &mut buffer)) {
            Ok(_) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Event::default()),
            Err(error) => {
                return Err(error)
                    .context(|| format!("listening to {}", self.group.shown.display()));
            }
        }
        if self.version == Version::V1 {
            // The kernel signals the end of a group too, after which its files cannot be opened.
            let over = !self.group.has("cgroup.event_control");
            return Ok(Event { killed: !over, over });
        }
        let killed = count(&self.group);
        let before = std::mem::replace(&mut self.killed, killed);
        let over = freezer::event(&self.group, "populated") != Some(1);
        Ok(Event { killed: before < killed, over })
    }
}

impl AsFd for Oom {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

/// How many were killed, on version 2.
fn count(group: &Dir) -> u64 {
    let text = group.read("memory.events").unwrap_or_default();
    let value = |line: &str| line.strip_prefix("oom_kill ")?.parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}

fn listen_v1(group: &Dir) -> std::io::Result<OwnedFd> {
    let control = group.open("memory.oom_control", OFlags::RDONLY)?;
    let signal = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let line = format!("{} {}", signal.as_raw_fd(), control.as_raw_fd());
    group.write("cgroup.event_control", &line)?;
    Ok(signal)
}

fn listen_v2(group: &Dir) -> std::io::Result<OwnedFd> {
    let signal = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    for file in ["memory.events", "cgroup.events"] {
        // By the descriptor, so that it is this group and no other that has its name now.
        let opened = group.open(file, OFlags::RDONLY)?;
        let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
        inotify::add_watch(&signal, Path::new(&path), WatchFlags::MODIFY)?;
    }
    Ok(signal)
}
