//! [`Race`]: contenders that run in turn, so that what disturbs one disturbs all.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Times;

/// Why a contender did not finish.
pub type Failure = Box<dyn Error>;

/// Contenders and their times. Displayed as a table, with ratios to the first of them.
#[derive(Default)]
pub struct Race<'a> {
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    name: String,
    run: Box<dyn FnMut() -> Result<Duration, Failure> + 'a>,
    times: Times,
}

impl<'a> Race<'a> {
    /// Nobody runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a contender, which measures itself: what it does besides does not count.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<String>,
        run: impl FnMut() -> Result<Duration, Failure> + 'a,
    ) -> Self {
        let (name, run) = (name.into(), Box::new(run));
        self.contenders.push(Contender { name, run, times: Times::default() });
        self
    }

    /// Has all of them run in turn, `rounds` times and a tenth more to warm up.
    #[must_use]
    pub fn run(mut self, rounds: usize) -> Self {
        let warm_up = rounds.div_ceil(10);
        for round in 0..warm_up + rounds {
            for contender in &mut self.contenders {
                let outcome = (contender.run)();
                if round >= warm_up {
                    contender.times.add(outcome);
                }
            }
        }
        self
    }

    /// How many times longer one takes than the other, by the medians; `None` without both.
    pub fn ratio(&self, name: &str, other: &str) -> Option<f64> {
        Some(self.times(name)?.ratio(self.times(other)?))
    }

    /// One line: how long one takes of the other's time, and whether that is as little as is aimed at.
    pub fn verdict(&self, name: &str, other: &str, target: f64) -> String {
        let Some(ratio) = self.ratio(name, other) else {
            return format!("{name} and {other} cannot be compared; the target is {target}");
        };
        let met = if ratio <= target { "met" } else { "missed" };
        format!("{name} takes {ratio:.3} of {other}'s p50; the target, at most {target}, is {met}")
    }

    /// The times of one.
    pub fn times(&self, name: &str) -> Option<&Times> {
        let contender = self.contenders.iter().find(|contender| contender.name == name)?;
        (contender.times.count() > 0).then_some(&contender.times)
    }
}

impl fmt::Debug for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.contenders.iter().map(|contender| &contender.name)).finish()
    }
}

impl fmt::Display for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:38} {:>6} {:>10} {:>10} {:>10} {:>8}", "", "n", "p50", "p90", "p99", "ratio")?;
        for Contender { name, times, .. } in &self.contenders {
            let [p50, p90, p99] = [50, 90, 99].map(|percent| times.percentile(percent));
            write!(f, "\n{name:38} {:>6} {p50:>10.2?} {p90:>10.2?} {p99:>10.2?}", times.count())?;
            match self.contenders.first() {
                Some(first) if times.count() > 0 && first.times.count() > 0 => {
                    write!(f, " {:>7.2}x", times.ratio(&first.times))?;
                }
                _ => {}
            }
            if let Some(failure) = &times.failure {
                write!(f, "\n{:38} {} failed: {failure}", "", times.failures)?;
            }
        }
        Ok(())
    }
}

/// What `work` gives, and the time until it had.
pub fn time<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Duration), Failure> {
    let begun = Instant::now();
    let value = work()?;
    Ok((value, begun.elapsed()))
}

/// The time that one of `times` repetitions of `work` takes.
pub fn repeat(
    times: u32,
    mut work: impl FnMut() -> Result<(), Failure>,
) -> Result<Duration, Failure> {
    let begun = Instant::now();
    for _ in 0..times {
        work()?;
    }
    Ok(begun.elapsed() / times)
}

/// What `work` gives, and the CPU time that this thread used for it.
pub fn thread_cpu<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Duration), Failure> {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    };
    let begun = now();
    let value = work()?;
    Ok((value, now().saturating_sub(begun)))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn contenders_run_in_turn_and_are_not_counted_while_they_warm_up() {
        let order = RefCell::new(String::new());
        let run = |name: char, ms| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(Duration::from_millis(ms))
            }
        };
        let race = Race::new().with("a", run('a', 2)).with("b", run('b', 3)).run(10);
        assert_eq!(*order.borrow(), "ab".repeat(11));
        assert_eq!(race.times("b").map(Times::count), Some(10));
        assert_eq!(race.ratio("b", "a"), Some(1.5));
        assert!(race.verdict("b", "a", 1.5).ends_with("is met"), "{race}");
        assert!(race.verdict("b", "a", 1.4).ends_with("is missed"), "{race}");
    }

    #[test]
    fn a_contender_that_fails_has_no_ratio_and_says_why() {
        let race = Race::new()
            .with("fine", || Ok(Duration::from_millis(1)))
            .with("broken", || Err("no compiler".into()))
            .run(5);
        assert_eq!(race.ratio("broken", "fine"), None);
        assert!(race.verdict("broken", "fine", 1.0).contains("cannot be compared"));
        assert!(race.to_string().ends_with("5 failed: no compiler"), "{race}");
    }
}
