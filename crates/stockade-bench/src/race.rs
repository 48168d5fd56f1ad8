//! The race: all modes take turns.

use std::thread;
use std::time::Duration;

use crate::measure::{Ran, family_cpu_ns};
use crate::options::Session;
use crate::{Mode, PhaseTime, Stopped, percentile};

/// What takes longer than this takes part in fewer rounds.
const SLOW: u64 = 20_000_000;
/// The time that all rounds of a slow mode may take together.
const BUDGET: [Duration; 2] = [Duration::from_secs(12), Duration::from_millis(1200)];
/// Rounds of every mode, at least.
const FEWEST: usize = 3;
/// Until a helper has cleaned up behind its last run.
const SETTLE: Duration = Duration::from_millis(100);

/// Runs once.
pub(crate) type Run<'a> = Box<dyn FnMut() -> Result<Ran, String> + 'a>;

/// A mode, and how to run it. What cannot take part has no `run`.
pub(crate) struct Entrant<'a> {
    pub(crate) mode: Mode,
    pub(crate) run: Option<Run<'a>>,
    /// A process whose CPU time, and that of its children, is that of this mode alone.
    pub(crate) helper: Option<u32>,
    /// Whether what the run measures is all the CPU time there is.
    pub(crate) cpu: bool,
    /// How many starts one run is.
    pub(crate) batch: u64,
    pub(crate) phases: Vec<(String, Vec<u64>)>,
}

impl<'a> Entrant<'a> {
    pub(crate) fn new(mode: Mode, run: impl FnMut() -> Result<Ran, String> + 'a) -> Self {
        Self {
            mode,
            run: Some(Box::new(run)),
            helper: None,
            cpu: true,
            batch: 1,
            phases: Vec::new(),
        }
    }

    /// One that cannot take part, and why.
    pub(crate) fn skipped(mode: Mode, reason: impl Into<String>) -> Self {
        let mode = Mode { skipped: Some(reason.into()), ..mode };
        Self { mode, run: None, helper: None, cpu: false, batch: 1, phases: Vec::new() }
    }

    /// One that is there and does not work.
    pub(crate) fn broken(mode: Mode, failure: impl Into<String>) -> Self {
        let failure = failure.into();
        Self::new(mode, move || Err(failure.clone()))
    }

    /// Runs once and counts it.
    fn take(&mut self) {
        let Some(run) = &mut self.run else { return };
        self.mode.runs += 1;
        match run() {
            Ok(ran) => {
                self.mode.wall_ns.push(ran.wall_ns);
                if self.cpu {
                    self.mode.cpu_ns.push(ran.cpu_ns);
                }
                for (name, ns) in ran.phases {
                    match self.phases.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, all)) => all.push(ns),
                        None => self.phases.push((name, vec![ns])),
                    }
                }
            }
            Err(failure) => {
                self.mode.failures += 1;
                self.mode.failure.get_or_insert(failure);
            }
        }
    }

    fn finish(mut self, helper_ns: Option<u64>) -> Mode {
        let each = helper_ns.unwrap_or_default() / (self.mode.runs.max(1) as u64 * self.batch);
        self.mode.cpu_ns.iter_mut().for_each(|ns| *ns += each);
        // What never ran has shown none.
        if self.mode.wall_ns.is_empty() {
            self.mode.walls.clear();
        }
        self.mode.phases = self
            .phases
            .iter()
            .filter_map(|(name, all)| Some((name, percentile(all, 50)?)))
            .map(|(name, p50_ns)| PhaseTime { name: name.clone(), p50_ns })
            .collect();
        self.mode
    }
}

/// Has all of them take turns: first to warm up, which tells the slow ones, then counted.
pub(crate) fn race(
    session: &Session<'_>,
    part: &str,
    mut entrants: Vec<Entrant<'_>>,
) -> Result<Vec<Mode>, Stopped> {
    let rounds = session.rounds();
    let budget = BUDGET[usize::from(session.options.quick)];
    let mut turns = Vec::with_capacity(entrants.len());
    let all = entrants.len();
    for (index, entrant) in entrants.iter_mut().enumerate() {
        session.progress.at(&format!("{part}: warming up"), index, all)?;
        turns.push(warm_up(entrant, rounds, budget));
    }
    let helpers = |entrants: &[Entrant<'_>]| -> Vec<Option<u64>> {
        thread::sleep(SETTLE);
        entrants.iter().map(|entrant| family_cpu_ns(entrant.helper?)).collect()
    };
    let before = helpers(&entrants);
    for round in 0..rounds {
        session.progress.at(part, round, rounds)?;
        for (entrant, turns) in entrants.iter_mut().zip(&turns) {
            if has_turn(round, rounds, *turns) {
                entrant.take();
            }
        }
    }
    let after = helpers(&entrants);
    session.progress.at(part, rounds, rounds)?;
    let spent = before.into_iter().zip(after).map(|(before, after)| Some(after? - before?));
    Ok(entrants.into_iter().zip(spent).map(|(entrant, spent)| entrant.finish(spent)).collect())
}

/// Runs a few times without counting, and says in how many rounds it takes part.
fn warm_up(entrant: &mut Entrant<'_>, rounds: usize, budget: Duration) -> usize {
    let Some(run) = &mut entrant.run else { return 0 };
    let mut best = u64::MAX;
    for attempt in 0..rounds.clamp(1, 10) {
        match run() {
            Ok(ran) => best = best.min(ran.wall_ns),
            Err(_) => return FEWEST.min(rounds),
        }
        // One slow run may be bad luck.
        if best > SLOW && attempt > 0 {
            break;
        }
    }
    turns(best, rounds, budget)
}

fn turns(took: u64, rounds: usize, budget: Duration) -> usize {
    if took <= SLOW {
        return rounds;
    }
    let fit = (budget.as_nanos() / u128::from(took)) as usize;
    fit.max(FEWEST).min(rounds)
}

/// Spreads `turns` evenly over the rounds.
fn has_turn(round: usize, rounds: usize, turns: usize) -> bool {
    (round + 1) * turns / rounds > round * turns / rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_modes_take_fewer_turns_spread_over_all_rounds() {
        let budget = Duration::from_secs(12);
        assert_eq!(turns(1_000_000, 300, budget), 300);
        assert_eq!(turns(400_000_000, 300, budget), 30);
        assert_eq!(turns(60_000_000_000, 300, budget), 3);
        assert_eq!(turns(60_000_000_000, 2, budget), 2);
        for turns in [0, 3, 7, 300] {
            let taken: Vec<usize> = (0..300).filter(|r| has_turn(*r, 300, turns)).collect();
            assert_eq!(taken.len(), turns);
        }
        assert_eq!((0..9).filter(|r| has_turn(*r, 9, 3)).collect::<Vec<_>>(), [2, 5, 8]);
    }

    #[test]
    fn what_fails_is_counted_as_failing_and_has_no_sample() {
        let mut results = [Ok(5), Err("no".to_owned()), Ok(7), Err("again".to_owned())].into_iter();
        let run = move || {
            let wall_ns = results.next().expect("four runs")?;
            Ok(Ran { wall_ns, cpu_ns: 1, phases: vec![("clone".to_owned(), wall_ns)] })
        };
        let mut entrant = Entrant::new(Mode::default(), run);
        (0..4).for_each(|_| entrant.take());
        let mode = entrant.finish(Some(40));
        assert_eq!((mode.runs, mode.failures), (4, 2));
        assert_eq!((mode.wall_ns, mode.cpu_ns), (vec![5, 7], vec![11, 11]));
        assert_eq!(mode.failure.as_deref(), Some("no"));
        assert_eq!(mode.phases, [PhaseTime { name: "clone".to_owned(), p50_ns: 5 }]);
    }

    #[test]
    fn what_never_ran_claims_no_protection() {
        for (fails, walls) in [(true, 0), (false, 1)] {
            let mode = Mode { walls: vec!["seccomp".to_owned()], ..Mode::default() };
            let run = move || if fails { Err("no".to_owned()) } else { Ok(Ran::default()) };
            let mut entrant = Entrant::new(mode, run);
            entrant.take();
            assert_eq!(entrant.finish(None).walls.len(), walls);
        }
    }
}
