//! [`Phases`]: where the time of a run goes, by the warden's own clock.

use std::time::Duration;

use stockade::Timings;
use stockade_benches::Times;

/// The steps of many runs.
#[derive(Default)]
pub(crate) struct Phases {
    steps: Vec<(String, Times)>,
}

impl Phases {
    /// Adds one run.
    pub(crate) fn add(&mut self, timings: &Timings) {
        for phase in &timings.phases {
            let at = self.steps.iter().position(|(name, _)| *name == phase.name);
            let at = at.unwrap_or_else(|| {
                self.steps.push((phase.name.to_string(), Times::default()));
                self.steps.len() - 1
            });
            self.steps[at].1.add(Ok::<_, String>(Duration::from_nanos(phase.ns)));
        }
    }

    pub(crate) fn print(&self) {
        for (name, times) in &self.steps {
            let micros = |percent| times.percentile(percent).as_secs_f64() * 1e6;
            println!("{name:10} {:>8.0} µs   p90 {:>8.0} µs", micros(50), micros(90));
        }
    }
}
