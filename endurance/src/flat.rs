//! Whether something that was measured again and again grows.

/// What is measured, and how much of a growth is none.
///
/// Only the second half of a series is judged: by then caches and pools are as full as they get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// A count that has a ceiling: in the second half it never passes the highest value of the
    /// first by more than this.
    Ceiling(f64),
    /// An amount that varies: the line of least squares through the second half rises by no more
    /// than `each` for a run, or by `noise` in all if that is more.
    Slope {
        /// Growth for one run.
        each: f64,
        /// Growth that is none, however few runs there were.
        noise: f64,
    },
}

/// How a series of values changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The first value of the second half, and the last.
    pub between: (f64, f64),
    /// Growth in the second half.
    pub growth: f64,
    /// Growth that is allowed.
    pub allowed: f64,
}

impl Judgement {
    /// Whether it is flat.
    pub fn is_flat(&self) -> bool {
        self.growth <= self.allowed
    }
}

/// Judges a series of how many runs there had been, and the value then. `None` for one that is too
/// short.
pub fn judge(law: Law, series: &[(f64, f64)]) -> Option<Judgement> {
    let (first, second) = series.split_at(series.len() / 2);
    let ([_, _, ..], [(from, start), .., (to, end)]) = (first, second) else { return None };
    let span = to - from;
    let (growth, allowed) = match law {
        Law::Ceiling(slack) => (highest(second) - highest(first), slack),
        Law::Slope { each, noise } => (slope(second) * span, (each * span).max(noise)),
    };
    Some(Judgement { between: (*start, *end), growth, allowed })
}

fn highest(series: &[(f64, f64)]) -> f64 {
    series.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max)
}

/// The slope of the line of least squares.
fn slope(series: &[(f64, f64)]) -> f64 {
    let count = series.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| series.iter().map(of).sum::<f64>() / count;
    let (middle, height) = (mean(|point| point.0), mean(|point| point.1));
    let (mut rise, mut run) = (0.0, 0.0);
    for (at, value) in series {
        rise += (at - middle) * (value - height);
        run += (at - middle) * (at - middle);
    }
    if run == 0.0 { 0.0 } else { rise / run }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred values, a thousand runs apart.
    fn series(value: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        (0..100).map(|index| (f64::from(index) * 1000.0, value(f64::from(index)))).collect()
    }

    fn is_flat(law: Law, value: impl Fn(f64) -> f64) -> bool {
        judge(law, &series(value)).expect("it is long enough").is_flat()
    }

    /// Something that goes up and down by one, and says nothing.
    fn wobble(index: f64) -> f64 {
        (index * 1.7).sin()
    }

    #[test]
    fn a_pool_that_fills_and_stays_is_flat() {
        assert!(is_flat(Law::Ceiling(0.0), |index| index.min(30.0)));
        assert!(is_flat(Law::Slope { each: 0.0, noise: 1.0 }, |index| index.min(30.0) * 1000.0));
    }

    #[test]
    fn one_more_now_and_then_is_not_flat() {
        assert!(!is_flat(Law::Ceiling(2.0), |index| (index / 10.0).floor()));
    }

    #[test]
    fn a_few_bytes_for_each_run_are_found_in_the_noise() {
        let law = Law::Slope { each: 16.0, noise: 65536.0 };
        let noisy = |index: f64| 1e8 + wobble(index) * 1e5;
        assert!(is_flat(law, noisy));
        assert!(is_flat(law, |index| noisy(index) + index * 1000.0 * 8.0));
        assert!(!is_flat(law, |index| noisy(index) + index * 1000.0 * 32.0));
    }

    #[test]
    fn shrinking_is_flat_and_a_short_series_is_not_judged() {
        assert!(is_flat(Law::Slope { each: 0.0, noise: 0.0 }, |index| -index));
        assert_eq!(judge(Law::Ceiling(0.0), &series(|_| 1.0)[..3]), None);
    }
}
