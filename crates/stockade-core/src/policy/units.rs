//! Quantities as users write them: bytes, durations, shares of a CPU, and "unlimited".

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A text that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ValueError {
    /// The text as given.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
}

/// A number of bytes, written `4096`, `"64KiB"`, `"256MiB"`, `"1.5GB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

/// A share of CPU time, in CPU-seconds per second: `0.5` is half a core.
///
/// Kept in thousandths of a core, the finest the kernel's default period can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpus {
    milli: u32,
}

impl Cpus {
    /// From thousandths of a core.
    pub const fn from_milli(milli: u32) -> Self {
        Self { milli }
    }

    /// In thousandths of a core.
    pub const fn milli(self) -> u32 {
        self.milli
    }

    /// In cores.
    pub fn as_f64(self) -> f64 {
        f64::from(self.milli) / 1000.0
    }

    /// From cores; `None` when the number is not between 0.001 and 4,000,000.
    pub fn from_f64(cores: f64) -> Option<Self> {
        let milli = (cores * 1000.0).round();
        // The range check makes the conversion exact; NaN fails it.
        (1.0..=4e9).contains(&milli).then_some(Self { milli: milli as u32 })
    }
}

/// A bound that may be lifted, but only by writing `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit<T> {
    /// At most this much.
    At(T),
    /// No bound. Must be written out.
    Unlimited,
}

impl<T: Copy> Limit<T> {
    /// The bound, or `None` when there is none.
    pub fn get(self) -> Option<T> {
        match self {
            Self::At(value) => Some(value),
            Self::Unlimited => None,
        }
    }
}

impl<T> From<T> for Limit<T> {
    fn from(value: T) -> Self {
        Self::At(value)
    }
}

impl From<u64> for Bytes {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<u64> for Limit<Bytes> {
    fn from(value: u64) -> Self {
        Self::At(Bytes(value))
    }
}

/// A quantity with a text form.
pub(crate) trait Quantity: Sized + Copy {
    const EXPECTED: &'static str;
    fn parse(text: &str) -> Option<Self>;
    fn from_integer(value: u64) -> Option<Self>;
    fn from_float(value: f64) -> Option<Self>;
    fn show(self) -> String;

    /// As text, unless the quantity is a plain number.
    fn serialize<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.show())
    }
}

impl Quantity for Bytes {
    const EXPECTED: &'static str = "a size such as 65536, \"64KiB\" or \"unlimited\"";

    fn parse(text: &str) -> Option<Self> {
        if let Ok(bytes) = text.parse::<u64>() {
            return Some(Self(bytes));
        }
        // The library computes in floating point and would saturate; refuse what it cannot hold.
        let size = text.parse::<bytesize::ByteSize>().ok()?.as_u64();
        (size < u64::MAX / 2).then_some(Self(size))
    }

    fn from_integer(value: u64) -> Option<Self> {
        Some(Self(value))
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn show(self) -> String {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            // Past 2^53 a size with a unit would not be read back exactly.
            if self.0 != 0 && self.0 < 1 << 53 && self.0.is_multiple_of(1 << shift) {
                return format!("{}{unit}", self.0 >> shift);
            }
        }
        self.0.to_string()
    }
}

impl Quantity for Duration {
    const EXPECTED: &'static str =
        "a duration such as \"500ms\", \"2s\", 1.5 (seconds) or \"unlimited\"";

    fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse::<f64>() {
            return Self::from_float(seconds);
        }
        humantime::parse_duration(text).ok().and_then(bounded)
    }

    fn from_integer(value: u64) -> Option<Self> {
        bounded(Self::from_secs(value))
    }

    fn from_float(value: f64) -> Option<Self> {
        Self::try_from_secs_f64(value).ok().and_then(bounded)
    }

    fn show(self) -> String {
        humantime::format_duration(self).to_string()
    }
}

/// Durations are counted in nanoseconds in 64 bits: 292 years must do.
pub(super) fn bounded(duration: Duration) -> Option<Duration> {
    (duration.as_nanos() <= i64::MAX as u128).then_some(duration)
}

impl Quantity for u64 {
    const EXPECTED: &'static str = "a whole number or \"unlimited\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_integer(value: u64) -> Option<Self> {
        Some(value)
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn serialize<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        // TOML integers end at 2^63; beyond it the text form is still read back.
        match i64::try_from(self) {
            Ok(value) => serializer.serialize_i64(value),
            Err(_) => serializer.serialize_str(&self.show()),
        }
    }
}

impl Quantity for Cpus {
    const EXPECTED: &'static str = "a number of cores such as 0.5";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::from_f64)
    }

    fn from_integer(value: u64) -> Option<Self> {
        u32::try_from(value).ok().and_then(|cores| Self::from_f64(f64::from(cores)))
    }

    fn from_float(value: f64) -> Option<Self> {
        Self::from_f64(value)
    }

    fn show(self) -> String {
        self.as_f64().to_string()
    }
}

fn parse<Q: Quantity>(text: &str) -> Result<Q, ValueError> {
    Q::parse(text.trim())
        .ok_or_else(|| ValueError { text: text.chars().take(80).collect(), expected: Q::EXPECTED })
}

impl FromStr for Bytes {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text)
    }
}

impl FromStr for Cpus {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parse(text)
    }
}

impl<Q: Quantity> FromStr for Limit<Q> {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.trim() == "unlimited" { Ok(Self::Unlimited) } else { parse(text).map(Self::At) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.show())
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.show())
    }
}

impl<Q: Quantity> fmt::Display for Limit<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(quantity) => f.pad(&quantity.show()),
            Self::Unlimited => f.pad("unlimited"),
        }
    }
}

impl<Q: Quantity> Serialize for Limit<Q> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(quantity) => quantity.serialize(serializer),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Cpus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

struct QuantityVisitor<Q>(std::marker::PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::parse(text.trim()).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Q, E> {
        Q::from_integer(value)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Q, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Q, E> {
        Q::from_float(value).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(std::marker::PhantomData))
    }
}

struct LimitVisitor<Q>(QuantityVisitor<Q>);

impl<Q: Quantity> Visitor<'_> for LimitVisitor<Q> {
    type Value = Limit<Q>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit<Q>, E> {
        if text.trim() == "unlimited" {
            Ok(Limit::Unlimited)
        } else {
            self.0.visit_str(text).map(Limit::At)
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Limit<Q>, E> {
        self.0.visit_u64(value).map(Limit::At)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Limit<Q>, E> {
        self.0.visit_i64(value).map(Limit::At)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Limit<Q>, E> {
        self.0.visit_f64(value).map(Limit::At)
    }
}

impl<'de, Q: Quantity> Deserialize<'de> for Limit<Q> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor(QuantityVisitor(std::marker::PhantomData)))
    }
}
