//! Numbers as people read them: three digits and a unit.

const KIB: f64 = 1024.0;

/// Where counting digits ends.
const HUGE: f64 = 1e7;

/// A time in nanoseconds.
pub(super) fn time(ns: u64) -> String {
    time_of(ns as f64)
}

/// The same of a place on an axis.
pub(super) fn time_of(ns: f64) -> String {
    let (size, unit) = match ns {
        ns if ns < 999.5 => (1.0, "ns"),
        ns if ns < 999.5e3 => (1e3, "µs"),
        ns if ns < 999.5e6 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {unit}", digits(ns / size))
}

/// A size in bytes.
pub(super) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut size, mut unit) = (bytes, 0);
    while size >= KIB && unit + 1 < UNITS.len() {
        size /= KIB;
        unit += 1;
    }
    format!("{} {}", digits(size), UNITS[unit])
}

/// A number to three digits, or whole with its thousands apart, or as a power of ten.
pub(super) fn digits(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    if number.abs() >= HUGE {
        return format!("{number:.2e}").replace(".00e", "e");
    }
    let places = match number.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        0.0 => 0,
        _ => 3,
    };
    let text = format!("{number:.places$}");
    match text.split_once('.') {
        Some((whole, rest)) => {
            let rest = rest.trim_end_matches('0');
            if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
        }
        None => thousands(&text),
    }
}

/// A count.
pub(super) fn count(number: u64) -> String {
    thousands(&number.to_string())
}

/// A ratio.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if !ratio.is_finite() => "–".to_owned(),
        ratio if ratio.abs() < 10.0 => format!("{ratio:.2} ×"),
        ratio => format!("{} ×", digits(ratio)),
    }
}

fn thousands(whole: &str) -> String {
    let first = whole.trim_start_matches('-').len();
    let mut text = String::new();
    for (at, c) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if c != '-' && left.is_multiple_of(3) && left != first {
            text.push(',');
        }
        text.push(c);
    }
    text
}
