//! Quantities and verdicts as people read them.

use std::time::Duration;

use stockade::{Control, Verdict};

/// `3.2 ms`, `1.20 s`.
pub(crate) fn time(nanoseconds: u64) -> String {
    let time = Duration::from_nanos(nanoseconds).as_secs_f64();
    match time {
        ..0.0995 => format!("{:.1} ms", time * 1e3),
        ..0.9995 => format!("{:.0} ms", time * 1e3),
        _ => format!("{time:.2} s"),
    }
}

/// `64 MiB`, `7.9 MiB`, `212 B`.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0x4000_0000.. => (1 << 30, "GiB"),
        0x10_0000.. => (1 << 20, "MiB"),
        0x400.. => (1 << 10, "KiB"),
        _ => return format!("{bytes} B"),
    };
    if bytes.is_multiple_of(unit) {
        format!("{} {name}", bytes / unit)
    } else {
        format!("{:.1} {name}", bytes as f64 / unit as f64)
    }
}

/// Why a run ended, short enough for a table.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Exited { code } => format!("exited {code}"),
        Verdict::Signaled { signal, .. } => format!("signaled {signal}"),
        Verdict::Limit { control, limit, observed } => {
            let amount = |value| amount(*control, value);
            format!("limit {control}: {} of {}", amount(*observed), amount(*limit))
        }
        Verdict::Denied { control, .. } => format!("denied {control}"),
        Verdict::Cancelled => "cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn amount(control: Control, value: u64) -> String {
    match control {
        Control::Memory | Control::FileSize | Control::Disk | Control::Output => size(value),
        Control::CpuTime | Control::WallTime => time(value),
        _ => value.to_string(),
    }
}
