//! `events`: what a container uses, and that it ran out of memory.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use serde::Serialize;

use crate::args::EventsArgs;
use crate::failure::{Context, Failure, Outcome};
use crate::state::{Init, State, Status};

use super::Caller;

/// One line, as engines read it.
#[derive(Serialize)]
struct Event<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
}

pub(super) fn events(caller: &Caller, args: &EventsArgs) -> Outcome<()> {
    if args.interval.is_zero() {
        return Err(Failure::new("duration interval must be greater than 0"));
    }
    let (entry, state) = caller.home.load(&args.id)?;
    if state.status(&entry) == Status::Stopped {
        return Err(Failure::new(format!("container with id {} is not running", args.id)));
    }
    if args.stats {
        return stats(&state);
    }
    follow(caller, args, &state)
}

fn stats(state: &State) -> Outcome<()> {
    let data = state.cgroup.stats().context(|| "what is used cannot be read".into())?;
    super::print_line(&Event { kind: "stats", id: &state.id, data: Some(data) })
}

/// Prints until the container has ended.
fn follow(caller: &Caller, args: &EventsArgs, state: &State) -> Outcome<()> {
    let init = state.init.as_ref().map(Init::open).transpose()?.flatten();
    let Some(init) = init else { return Ok(()) };
    let mut oom = match state.cgroup.oom() {
        Ok(oom) => Some(oom),
        Err(failure) => {
            caller.log.warn(&format!("events of memory are not told: {failure}"));
            None
        }
    };
    let mut next = Instant::now() + args.interval;
    loop {
        let mut fds = vec![PollFd::new(&init, PollFlags::IN)];
        fds.extend(oom.as_ref().map(|oom| PollFd::new(oom, PollFlags::IN)));
        let timeout = timespec(next.saturating_duration_since(Instant::now()));
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context(|| "poll".into()),
        }
        let has_ended = !fds[0].revents().is_empty();
        drop(fds);
        if let Some(listening) = &mut oom {
            let event = listening.read()?;
            if event.killed {
                super::print_line(&Event::<()> { kind: "oom", id: &state.id, data: None })?;
            }
            if event.over {
                oom = None;
            }
        }
        if has_ended {
            return Ok(());
        }
        if Instant::now() >= next {
            next = Instant::now() + args.interval;
            // One that ends meanwhile is no failure: the next look tells.
            if let Err(failure) = stats(state) {
                caller.log.warn(&failure.to_string());
            }
        }
    }
}

/// At least a millisecond, so that nothing spins.
fn timespec(time: Duration) -> Timespec {
    let time = time.max(Duration::from_millis(1));
    let tv_sec = time.as_secs().min(i64::MAX.cast_unsigned()).cast_signed();
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}
