//! Where a value stands on an axis.

/// What no axis passes, up or, inverted, down: a number beyond it is drawn at the end.
const HIGHEST: f64 = 1e30;

/// From a value to its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    /// Logarithmic, ending at 1, 2 or 5 times a power of ten on both sides. What is zero stands at
    /// the low end.
    pub(super) fn round_log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values).unwrap_or((1.0, 10.0));
        let low = round_down(low);
        let high = round_up(high.max(low * 1.5));
        Self { low, high, logarithmic: true }
    }

    /// Logarithmic, from the smallest value to the largest. Where one is zero, it stands at the low
    /// end, apart from the others.
    pub(super) fn tight_log(values: &[f64]) -> Self {
        let (low, high) = range(values.iter().copied()).unwrap_or((1.0, 1.0));
        let zero = values.iter().any(|value| *value <= 0.0);
        let apart = (high / low).powf(0.25).max(2.0);
        Self { low: if zero { low / apart } else { low }, high, logarithmic: true }
    }

    /// From zero to a round number.
    pub(super) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let high = range(values).map_or(1.0, |(_, high)| high);
        let step = step(high);
        Self { low: 0.0, high: (high / step - 1e-9).ceil() * step, logarithmic: false }
    }

    /// From 0 to 1.
    pub(super) fn unit() -> Self {
        Self { low: 0.0, high: 1.0, logarithmic: false }
    }

    /// 0 at the low end, 1 at the high one.
    pub(super) fn at(&self, value: f64) -> f64 {
        let place = |value: f64| if self.logarithmic { value.ln() } else { value };
        if self.high <= self.low {
            return 0.5;
        }
        let value = if value.is_nan() { self.low } else { value.clamp(self.low, self.high) };
        (place(value) - place(self.low)) / (place(self.high) - place(self.low))
    }

    /// At most `most` round values along it, and both ends where it is linear.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        if !self.logarithmic {
            let step = step(self.high);
            let many = (self.high / step).round() as u32;
            return (0..=many).map(|nth| f64::from(nth) * step).collect();
        }
        let fine = self.powers(&[1.0, 2.0, 5.0]);
        if fine.len() <= most {
            return fine;
        }
        let powers = self.powers(&[1.0]);
        let every = powers.len().div_ceil(most.max(1));
        powers.into_iter().step_by(every).collect()
    }

    /// Powers of ten along it, times these.
    fn powers(&self, factors: &[f64]) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        (first..=last)
            .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)))
            .filter(|tick| *tick >= self.low * 0.999 && *tick <= self.high * 1.001)
            .collect()
    }
}

/// The smallest and the largest that a logarithm has.
fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let values = values.into_iter().filter(|value| value.is_finite() && *value > 0.0);
    values.map(|value| value.clamp(1.0 / HIGHEST, HIGHEST)).fold(None, |range, value| {
        Some(
            range.map_or((value, value), |(low, high): (f64, f64)| {
                (low.min(value), high.max(value))
            }),
        )
    })
}

/// Some five of it make `high`.
fn step(high: f64) -> f64 {
    round_up(high / 5.5)
}

fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|round| *round <= value * (1.0 + 1e-9))
        .unwrap_or(power)
}

fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|round| *round >= value * (1.0 - 1e-9))
        .unwrap_or(power * 10.0)
}
