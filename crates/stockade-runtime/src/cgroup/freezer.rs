//! Freezing and thawing a group.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use super::dir::Dir;
use crate::failure::{Context, Failure, Outcome};

/// How long a group may take to freeze. A process in uninterruptible sleep holds it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Stops every process, now and to come, and waits until it has come true. On failure the group runs.
pub(super) fn freeze(dir: &Dir) -> Outcome<()> {
    let frozen = if is_v2(dir) { freeze_v2(dir) } else { freeze_v1(dir) };
    if frozen.is_err() {
        let _ = thaw(dir);
    }
    frozen
}

/// Lets the processes go on.
pub(super) fn thaw(dir: &Dir) -> Outcome<()> {
    let (file, value) =
        if is_v2(dir) { ("cgroup.freeze", "0") } else { ("freezer.state", "THAWED") };
    dir.write(file, value).context(|| format!("thawing {}", dir.shown.display()))
}

/// Whether the group was frozen, itself, and every process in it has stopped.
pub(super) fn is_frozen(dir: &Dir) -> bool {
    if is_v2(dir) {
        is(dir, "cgroup.freeze", "1") && event(dir, "frozen") == Some(1)
    } else {
        is(dir, "freezer.self_freezing", "1") && is(dir, "freezer.state", "FROZEN")
    }
}

/// Whether a group can be frozen.
pub(super) fn can(dir: &Dir) -> bool {
    is_v2(dir) || dir.has("freezer.state")
}

fn is_v2(dir: &Dir) -> bool {
    dir.has("cgroup.freeze")
}

fn is(dir: &Dir, file: &str, value: &str) -> bool {
    dir.read(file).is_ok_and(|text| text.trim_end() == value)
}

/// What `cgroup.events` says of a key.
pub(super) fn event(dir: &Dir, key: &str) -> Option<u64> {
    let text = dir.read("cgroup.events").ok()?;
    let value = |line: &str| line.strip_prefix(key)?.trim().parse().ok();
    text.lines().find_map(value)
}

fn freeze_v2(dir: &Dir) -> Outcome<()> {
    let shown = || format!("freezing {}", dir.shown.display());
    // Opened before the write, so that no change goes unseen: poll(2) compares with the last read.
    let events = dir.open("cgroup.events", OFlags::RDONLY).context(shown)?;
    dir.write("cgroup.freeze", "1").context(shown)?;
    let deadline = Instant::now() + PATIENCE;
    while event_now(events.as_fd()).context(shown)? != Some(true) {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return Err(Failure::new(format!("unable to freeze {}", dir.shown.display())));
        };
        let timeout = Timespec::try_from(left).context(shown)?;
        let mut fds = [PollFd::new(&events, PollFlags::PRI)];
        rustix::io::retry_on_intr(|| poll(&mut fds, Some(&timeout))).context(shown)?;
    }
    Ok(())
}

/// Reads anew whether the group is frozen.
fn event_now(events: BorrowedFd<'_>) -> io::Result<Option<bool>> {
    let mut buffer = [0; 256];
    let length = rustix::io::pread(events, &mut buffer, 0)?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    Ok(text.lines().find_map(|line| line.strip_prefix("frozen ")).map(|value| value == "1"))
}

/// A group of version 1 does not get frozen for good while processes join it or fork, and shows
/// `FREEZING`; writing again has the kernel look again. Now and then the group is thawed, so that
/// what is in the middle of something gets to an end.
fn freeze_v1(dir: &Dir) -> Outcome<()> {
    let shown = || format!("freezing {}", dir.shown.display());
    let deadline = Instant::now() + PATIENCE;
    for attempt in 1_u32.. {
        dir.write("freezer.state", "FROZEN").context(shown)?;
        if is(dir, "freezer.state", "FROZEN") {
            return Ok(());
        }
        if Instant::now() >= deadline {
            break;
        }
        if attempt.is_multiple_of(50) {
            dir.write("freezer.state", "THAWED").context(shown)?;
            std::thread::sleep(Duration::from_millis(5));
        } else if attempt.is_multiple_of(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Err(Failure::new(format!("unable to freeze {}", dir.shown.display())))
}
