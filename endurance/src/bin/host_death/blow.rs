//! [`Blow`]: what is done to a host, and what has to be true afterwards.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use stockade::NamespaceSandbox;
use stockade_endurance::sample::cgroups;
use stockade_endurance::traces::{Files, Scene, remaining};
use stockade_endurance::{Failure, Random, soon};

use super::empty_directory;
use super::victim::{Victim, signal};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// The host is killed. Nothing is left, except of one that was just launching a warden: it may
    /// leave the empty cgroups it had made for it, which the next host removes.
    Host,
    /// The warden is killed. Its sandboxes die, the host goes on with another one.
    Warden,
    /// Both are killed. Empty cgroups are left, which the next host removes.
    Both,
    /// The warden is stopped and continued. No run is lost.
    Pause,
    /// The warden is stopped. The host continues it, and no run is lost.
    Stop,
    /// The warden is stopped, then the host is killed. Nothing is left.
    StopThenHost,
}

/// What became of it.
pub(super) struct Outcome {
    /// When it fell, after the host had started, named its warden, or had all kinds of sandboxes.
    pub(super) moment: Duration,
    /// Processes alive at that moment, the host included.
    pub(super) processes: usize,
    /// How long it took until nothing was left.
    pub(super) gone: Duration,
    /// Whether its wardens had settled in by then.
    pub(super) settled: bool,
    /// Whether cgroups were left for the next host.
    pub(super) swept: bool,
}

/// Of a host that was just started: it looks around and launches its warden.
const EARLY: Duration = Duration::from_millis(40);
/// Of a host with a warden: it prepares its programs, and the first of them start.
const MIDDLE: Duration = Duration::from_millis(80);
/// Of a host with all kinds of sandboxes.
const LATE: Duration = Duration::from_millis(150);

impl Blow {
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.below(20) {
            0..12 => Self::Host,
            12..14 => Self::Warden,
            14 => Self::Both,
            15 => Self::Pause,
            16..18 => Self::Stop,
            _ => Self::StopThenHost,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Warden => "warden",
            Self::Both => "both",
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::StopThenHost => "stop, then host",
        }
    }

    /// Starts a host, does it, and looks for what is left.
    pub(super) fn strike(
        self,
        scratch: &Path,
        within: Duration,
        random: &mut Random,
    ) -> Result<Outcome, Failure> {
        let temporary = empty_directory(scratch)?;
        let scene = Scene::new(&temporary);
        let mut host = Victim::start(&temporary, random.any())?;
        let early = self == Self::Host && random.below(4) == 0;
        let warden = if early { None } else { Some(host.warden()?) };
        let late = !early && random.below(3) != 0;
        if late {
            host.be_busy()?;
        }
        let moment = random.time(if early {
            EARLY
        } else if late {
            LATE
        } else {
            MIDDLE
        });
        thread::sleep(moment);
        let files = Files::around(host.id());
        let processes = remaining(None).len();

        let begun = match warden {
            None => self.on_host(&mut host)?,
            Some(warden) => self.on_warden(&mut host, warden, within, random)?,
        };
        let settled = host.has_settled();
        let mut left = Vec::new();
        let mut gone = soon(within.saturating_sub(begun.elapsed()), || {
            left = scene.left(host.id(), &files);
            left.is_empty()
        });
        let orphaned = !settled || self == Self::Both;
        let swept = gone.is_none() && orphaned && left.iter().all(|one| one.starts_with("cgroup "));
        if swept {
            // No warden was left that knew of them.
            drop(NamespaceSandbox::new()?);
            left = soon_empty(host.id(), within);
            gone = left.is_empty().then_some(begun.elapsed());
        }
        match gone {
            Some(_) => {
                let gone = begun.elapsed();
                Ok(Outcome { moment, processes, gone, settled, swept })
            }
            None => Err(format!("left after {:?}: {}", begun.elapsed(), left.join(", ")).into()),
        }
    }

    fn on_host(self, host: &mut Victim) -> Result<Instant, Failure> {
        let begun = Instant::now();
        host.kill()?;
        Ok(begun)
    }

    /// Gives the moment from which on nothing may be there.
    fn on_warden(
        self,
        host: &mut Victim,
        warden: u32,
        within: Duration,
        random: &mut Random,
    ) -> Result<Instant, Failure> {
        let pause = random.time(Duration::from_millis(300));
        match self {
            Self::Host => return self.on_host(host),
            Self::Warden => {
                signal(warden, Signal::KILL)?;
                bereaved(host.id(), warden, within)?;
                thread::sleep(pause);
            }
            Self::Both => {
                signal(warden, Signal::KILL)?;
                return self.on_host(host);
            }
            Self::Pause => {
                signal(warden, Signal::STOP)?;
                thread::sleep(pause);
                signal(warden, Signal::CONT)?;
            }
            Self::Stop => {
                signal(warden, Signal::STOP)?;
                thread::sleep(pause);
            }
            Self::StopThenHost => {
                signal(warden, Signal::STOP)?;
                thread::sleep(pause);
                return self.on_host(host);
            }
        }
        host.finish()?;
        if self != Self::Warden && host.lost() != 0 {
            return Err(format!("{} runs were lost", host.lost()).into());
        }
        Ok(Instant::now())
    }
}

/// Waits until nothing is left of a killed warden: its inits are children of this process now.
fn bereaved(host: u32, warden: u32, within: Duration) -> Result<(), Failure> {
    let own = std::process::id();
    let mut left = Vec::new();
    let gone = soon(within, || {
        left = remaining(Some(host));
        left.retain(|one| one.id == warden || (one.nested && one.parent == own));
        left.is_empty()
    });
    match gone {
        Some(_) => Ok(()),
        None => Err(format!("left of the killed warden after {within:?}: {left:?}").into()),
    }
}

/// What is left of the cgroups of `host` after they could be removed.
fn soon_empty(host: u32, within: Duration) -> Vec<String> {
    let _ = soon(within, || cgroups(host).is_empty() && remaining(None).is_empty());
    cgroups(host)
}
