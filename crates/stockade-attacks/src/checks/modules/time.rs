//! Modules that do not end.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use stockade_core::Access;

use super::{Bout, Check, Control, Ended, Finding, Play, Result, attack, bounded, bounds};
use crate::sentinel::{Folder, unstaged};

/// What an attack on time is given.
const MOMENT: Duration = Duration::from_millis(50);
/// The most CPU time that it may take, a single step on an emulated processor included, and what it is
/// given without a wall.
const MOST_CPU: Duration = Duration::from_millis(800);
const OPEN_CPU: Duration = Duration::from_secs(1);
/// The same of wall time, of which a busy host takes some for itself.
const MOST_WALL: Duration = Duration::from_millis(900);
const OPEN_WALL: Duration = Duration::from_secs(1);
/// How long a busy host may take to give it the CPU time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Instructions that an attack on fuel is given, far fewer than it executes, and without a wall.
const FUEL: u64 = 1_000_000;
const MUCH_FUEL: u64 = 1 << 40;

/// Names in the directory that is listed.
const NAMES: u32 = 500;

/// Runs what has to be ended by the limit on CPU time. A module with such streams runs on the
/// thread that waits for it: that one's time says what it took, however busy the host is.
fn works(bout: Bout<'_>) -> Result<Finding> {
    let bout = bout.policy(|policy| {
        policy.limits.cpu_time = MOMENT.into();
        policy.limits.wall_time = PATIENCE.into();
    });
    let bout = bout.opened_by(|policy| policy.limits.cpu_time = OPEN_CPU.into());
    let begun = thread_cpu();
    let ended = bout.run()?;
    let used = thread_cpu().saturating_sub(begun);
    Ok(in_time(&ended, Control::CpuTime, used, MOST_CPU))
}

/// Runs what has to be ended by the limit on wall time.
fn waits(bout: Bout<'_>) -> Result<Finding> {
    let bout = bout.policy(|policy| policy.limits.wall_time = MOMENT.into());
    let ended = bout.opened_by(|policy| policy.limits.wall_time = OPEN_WALL.into()).run()?;
    Ok(in_time(&ended, Control::WallTime, ended.elapsed, MOST_WALL))
}

fn in_time(ended: &Ended, wall: Control, used: Duration, most: Duration) -> Finding {
    if used > most {
        return ended.through(format!("it went on for {} ms", used.as_millis()));
    }
    bounded(ended, wall, "it ended by itself, with all done")
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

const fn endless(story: &'static str, play: Play) -> Check {
    attack(story, "CPU exhaustion", Control::CpuTime, play)
}

const fn blocked(story: &'static str, play: Play) -> Check {
    attack(story, "blocked host", Control::WallTime, play)
}

pub(in crate::checks) const fn endless_loop() -> Check {
    endless("never ends", |arena| works(arena.bout()))
}

pub(in crate::checks) const fn start_loop() -> Check {
    endless("never ends in its start function, before it has begun", |arena| works(arena.bout()))
}

pub(in crate::checks) const fn endless_fill() -> Check {
    endless("never ends with filling 4 MiB at a time", |arena| works(arena.bout()))
}

pub(in crate::checks) const fn endless_listing() -> Check {
    endless("never ends with listing a directory of the host", |arena| {
        let folder = Folder::new()?;
        for number in 0..NAMES {
            folder.file(&format!("name-{number}"), b"")?;
        }
        works(arena.bout().bind(&folder, "/data", Access::Ro, ""))
    })
}

pub(in crate::checks) const fn endless_reading() -> Check {
    endless("never ends with reading a device without an end", |arena| works(arena.bout()))
}

pub(in crate::checks) const fn link_maze() -> Check {
    endless("opens a path that leads through a million links", |arena| {
        works(arena.bout().opened_by_arg("less"))
    })
}

pub(in crate::checks) const fn endless_sleep() -> Check {
    blocked("sleeps until the end of time", |arena| waits(arena.bout()))
}

pub(in crate::checks) const fn absolute_sleep() -> Check {
    blocked("sleeps until a date far away", |arena| waits(arena.bout()))
}

pub(in crate::checks) const fn silent_input() -> Check {
    blocked("reads an input to which nobody writes", |arena| {
        let (reader, _writer) = io::pipe().map_err(unstaged)?;
        waits(arena.bout().input(OwnedFd::from(reader)))
    })
}

pub(in crate::checks) const fn fuel() -> Check {
    attack("executes more instructions than it may", "CPU exhaustion", Control::Fuel, |arena| {
        let bout = arena.bout().policy(|policy| policy.limits.fuel = Some(FUEL));
        let bout = bout.opened_by(|policy| policy.limits.fuel = Some(MUCH_FUEL));
        bounds(bout, Control::Fuel, "it executed all that it had to")
    })
}
