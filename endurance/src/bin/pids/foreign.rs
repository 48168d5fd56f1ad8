//! Processes that have nothing to do with any sandbox, and how one of them has ended.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stockade_endurance::{Failure, Random};
use stockade_guests::ECHO_STDIN;

/// How many of those that come and go are there at a time.
const AT_ONCE: usize = 8;
/// The longest pause between two of them.
const PAUSE: Duration = Duration::from_millis(2);

/// A process that ends with 0 as soon as it is let go; killed when dropped before.
struct Foreign(Child);

impl Foreign {
    fn start() -> Result<Self, Failure> {
        loop {
            let mut command = Command::new(ECHO_STDIN.path);
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            match command.spawn() {
                Ok(child) => return Ok(Self(child)),
                // No id is free at this moment.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Lets it go; an error, if it has not ended by itself.
    fn leave(mut self) -> Result<(), Failure> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("process {}, of no sandbox, was hit: {status}", self.id()).into()),
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // One that was waited for is not signalled any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What became of them.
pub(super) struct Passed {
    /// Those that came and went.
    pub(super) went: u64,
    /// Those that were there from the beginning to the end.
    pub(super) stayed: u64,
    /// How often an id was lower than the last, which is at least as often as they began anew.
    pub(super) rounds: u64,
}

/// Has processes come and go until it is `over`, while others stay. An error, if one was hit.
pub(super) fn come_and_go(
    stay: u64,
    mut random: Random,
    over: &AtomicBool,
) -> Result<Passed, Failure> {
    let staying = (0..stay).map(|_| Foreign::start()).collect::<Result<Vec<_>, _>>()?;
    let mut passed = Passed { went: 0, stayed: stay, rounds: 0 };
    let (mut here, mut last) = (VecDeque::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let one = Foreign::start()?;
        passed.rounds += u64::from(one.id() < last);
        last = one.id();
        here.push_back(one);
        if here.len() > AT_ONCE
            && let Some(oldest) = here.pop_front()
        {
            oldest.leave()?;
            passed.went += 1;
        }
        thread::sleep(random.time(PAUSE));
    }
    for one in here {
        one.leave()?;
        passed.went += 1;
    }
    for one in staying {
        one.leave()?;
    }
    Ok(passed)
}

/// Kills a process by a number that another one had before, and sees that it is noticed. The ids are
/// below `bound`, and come round by this.
pub(super) fn prove(bound: u64) -> Result<(), Failure> {
    let mut ended = None;
    for _ in 0..3 * bound {
        let one = Foreign::start()?;
        let id = one.id();
        match ended {
            // The first ones are given out only once.
            None if u64::from(id) > super::RESERVED => {
                ended = Some(id);
                one.leave()?;
            }
            Some(number) if number == id => {
                let number = i32::try_from(number).ok().and_then(Pid::from_raw);
                kill_process(number.ok_or("no process id")?, Signal::KILL)?;
                return match one.leave() {
                    Err(_) => Ok(()),
                    Ok(()) => Err("a process was hit, and that was not noticed".into()),
                };
            }
            _ => one.leave()?,
        }
    }
    Err("no id was given out twice".into())
}
