//! [`Times`]: a distribution of times.

use std::time::Duration;

/// The times that one thing took, and how often it failed.
#[derive(Debug, Default, Clone)]
pub struct Times {
    all: Vec<Duration>,
    /// Attempts that failed; they have no time.
    pub failures: usize,
    /// What the first failure said.
    pub failure: Option<String>,
}

impl Times {
    /// Adds the outcome of one attempt.
    pub fn add<E: ToString>(&mut self, outcome: Result<Duration, E>) {
        match outcome {
            Ok(time) => self.all.push(time),
            Err(error) => {
                self.failures += 1;
                self.failure.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// How many attempts went well.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The smallest time that `percent` of all attempts did not exceed; zero without any.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The median.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// How many times longer than `other` this takes, by the medians.
    pub fn ratio(&self, other: &Self) -> f64 {
        self.median().as_secs_f64() / other.median().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times = Times::default();
        for ms in (1..=100).rev() {
            times.add(Ok::<_, String>(Duration::from_millis(ms)));
        }
        times.add(Err("no"));
        assert_eq!(times.count(), 100);
        assert_eq!((times.failures, times.failure.as_deref()), (1, Some("no")));
        assert_eq!(times.median(), Duration::from_millis(50));
        assert_eq!(times.percentile(99), Duration::from_millis(99));
        assert_eq!(times.percentile(100), Duration::from_millis(100));
    }

    #[test]
    fn without_attempts_there_is_no_time() {
        assert_eq!(Times::default().percentile(99), Duration::ZERO);
    }
}
