//! [`Mix`]: runs of many kinds, each of which knows how it has to end.

mod drive;
mod list;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use stockade::{Ability, Control, ErrorKind, Policy, Prepared, Sandbox, Verdict};

use crate::{Failure, Random, Seat, Watchdog};

/// One kind of run.
pub struct Case {
    /// What it is, in a word or two.
    pub name: &'static str,
    prepared: Box<dyn Prepared>,
    way: Way,
    end: End,
    /// How often it is drawn.
    weight: u64,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How a run is driven.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Its output is captured.
    Captured,
    /// Input is written to it, and it has to come back.
    Echoed,
    /// Another thread kills it.
    Killed,
    /// It is dropped while it runs, or while it is being built.
    Dropped,
}

/// How a run has to end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By itself with status 0 and this output.
    Says(&'static str),
    /// By some limit.
    Limit,
    /// By being stopped.
    Cancelled,
}

/// What was wrong with a run.
#[derive(Debug)]
pub enum Trouble {
    /// Its warden was lost.
    Lost,
    /// Anything else, which must not be.
    Wrong(String),
}

/// Kinds of runs, in proportions.
#[derive(Debug, Default)]
pub struct Mix {
    cases: Vec<Case>,
}

impl Mix {
    /// Prepares native programs.
    ///
    /// # Errors
    /// The backend's.
    pub fn add_native(&mut self, sandbox: &dyn Sandbox) -> Result<(), Failure> {
        self.cases.extend(list::native(sandbox)?);
        Ok(())
    }

    /// Compiles and prepares modules.
    ///
    /// # Errors
    /// The backend's.
    pub fn add_modules(&mut self, sandbox: &dyn Sandbox) -> Result<(), Failure> {
        self.cases.extend(list::modules(sandbox)?);
        Ok(())
    }

    /// Draws a kind.
    pub fn draw(&self, random: &mut Random) -> &Case {
        let total = self.cases.iter().map(|case| case.weight).sum();
        let mut left = random.below(total);
        for case in &self.cases {
            match left.checked_sub(case.weight) {
                Some(rest) => left = rest,
                None => return case,
            }
        }
        &self.cases[0]
    }

    /// Runs one kind after the other in `threads` threads, until there were `runs` or `over` says
    /// so. Gives how many ended, and how many were lost with their warden.
    ///
    /// # Errors
    /// The first run that went wrong; and one that was lost, unless that `may_be`.
    pub fn churn(&self, crew: &Crew<'_>, may_be_lost: bool) -> Result<Churned, Failure> {
        let (taken, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let failed = AtomicBool::new(false);
        let kinds = Mutex::new(BTreeMap::new());
        let work = |thread: u64, seat: &Seat| -> Result<(), String> {
            let mut random = Random::new(crew.seed, thread);
            while !crew.over.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
                if taken.fetch_add(1, Ordering::Relaxed) >= crew.runs {
                    taken.fetch_sub(1, Ordering::Relaxed);
                    break;
                }
                let case = self.draw(&mut random);
                match seat.watched(case.name, || case.run(&mut random)) {
                    Ok(()) => {
                        let mut kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
                        *kinds.entry(case.name).or_default() += 1;
                    }
                    Err(Trouble::Lost) if may_be_lost => {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(trouble) => {
                        failed.store(true, Ordering::Relaxed);
                        return Err(format!("`{}`: {trouble:?}", case.name));
                    }
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (0..crew.threads)
                .map(|thread| {
                    let seat = crew.dog.seat();
                    scope.spawn(move || work(thread, &seat))
                })
                .collect();
            let ends = threads.into_iter().map(|thread| match thread.join() {
                Ok(end) => end,
                Err(_) => Err("a thread panicked".to_owned()),
            });
            // All are waited for, and the first failure is told.
            ends.collect::<Vec<_>>().into_iter().collect::<Result<Vec<()>, String>>()
        })?;
        let kinds = kinds.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Churned { runs: taken.into_inner(), lost: lost.into_inner(), kinds })
    }
}

/// Who runs a mix, and for how long.
#[derive(Debug)]
pub struct Crew<'a> {
    /// How many threads.
    pub threads: u64,
    /// What they draw.
    pub seed: u64,
    /// How many runs at the most.
    pub runs: u64,
    /// Set when it has been enough.
    pub over: &'a AtomicBool,
    /// What watches them.
    pub dog: &'a Watchdog,
}

/// What a crew did.
#[derive(Debug, Clone, Default)]
pub struct Churned {
    /// Runs that were started.
    pub runs: u64,
    /// Those of them whose warden was lost.
    pub lost: u64,
    /// How many of each kind ended as they had to.
    pub kinds: BTreeMap<&'static str, u64>,
}

impl Case {
    /// Runs it once, and judges how it ended.
    ///
    /// # Errors
    /// It ended in another way than it has to.
    pub fn run(&self, random: &mut Random) -> Result<(), Trouble> {
        let ended =
            drive::drive(&*self.prepared, self.way, random).map_err(|error| match error
                .downcast_ref::<stockade::Error>(
            ) {
                Some(error) if error.kind() == ErrorKind::HostLost => Trouble::Lost,
                _ => Trouble::Wrong(format!("{error:?}")),
            })?;
        let Some((verdict, output)) = ended else { return Ok(()) };
        let right = match self.end {
            End::Says(text) => verdict.success() && output == text.as_bytes(),
            End::Limit => matches!(verdict, Verdict::Limit { .. }),
            End::Cancelled => verdict == Verdict::Cancelled,
        };
        if right {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output);
        let output: String = output.chars().take(200).collect();
        Err(Trouble::Wrong(format!("{verdict:?}, {output:?}")))
    }
}

/// Accepts what this host can only approximate.
pub fn accept_approximations(policy: &mut Policy, sandbox: &dyn Sandbox) {
    for control in [Control::Memory, Control::CpuTime, Control::Processes, Control::Filesystem] {
        if matches!(sandbox.support().ability(control), Ability::Approximated { .. }) {
            policy.best_effort.insert(control);
        }
    }
}
