//! Times of modification, which are what an archive says as far as they make sense.

/// The last second of the year 9999. What is later, or before 1970, counts as 1970.
const LAST: i64 = 253_402_300_799;

/// Seconds within the years that make sense.
pub(super) fn sane(seconds: u64) -> i64 {
    i64::try_from(seconds).ok().filter(|seconds| (0..=LAST).contains(seconds)).unwrap_or(0)
}

/// Seconds since 1970 in decimal, with a fraction or without: seconds and nanoseconds.
pub(super) fn parse(text: &[u8]) -> Option<(i64, u32)> {
    let text = str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.starts_with('-') {
        return Some((0, 0));
    }
    let seconds = sane(whole.parse().ok()?);
    let mut nanoseconds = 0;
    for digit in fraction.bytes().chain(std::iter::repeat(b'0')).take(9) {
        nanoseconds = nanoseconds * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some((seconds, nanoseconds))
}
