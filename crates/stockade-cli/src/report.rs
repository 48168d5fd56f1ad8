//! A report in one line, and as an exit status.

use std::time::Duration;

use stockade::{Control, Report, Verdict};

use crate::exit::Exit;

/// The exit status that a verdict stands for.
pub(crate) fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Exited { code } => Exit::program(*code),
        Verdict::Signaled { number, .. } => Exit::signal(*number),
        // As a native program that aborts.
        Verdict::Trapped { .. } => Exit::signal(6),
        _ => Exit::STOPPED,
    }
}

/// What there is to say about how the program ended; nothing when it ended by itself.
/// `peak` is the most memory it held, in bytes.
pub(crate) fn last_line(verdict: &Verdict, peak: u64) -> Option<String> {
    match verdict {
        // A module is not given what would not fit: it never held what it asked for.
        Verdict::Limit { control: Control::Memory, limit, observed }
            if peak < *limit && limit < observed =>
        {
            let (limit, held, wanted) = (exact_size(*limit), size(peak), size(*observed));
            Some(format!("stopped: memory limit {limit} reached (held {held}, asked for {wanted})"))
        }
        Verdict::Trapped { trap, .. } => Some(format!("trapped: {trap}")),
        _ => stopped(verdict).map(|reason| format!("stopped: {reason}")),
    }
}

/// Why the program was stopped; `None` when nothing stopped it.
fn stopped(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Exited { .. } | Verdict::Signaled { .. } | Verdict::Trapped { .. } => None,
        Verdict::Limit { control, limit, observed } => {
            Some(limit_reached(*control, *limit, *observed))
        }
        Verdict::Denied { control: Control::Syscalls, detail } => {
            Some(format!("system call refused ({detail})"))
        }
        Verdict::Denied { control, detail } => Some(format!("refused by {control} ({detail})")),
        Verdict::Cancelled => Some("cancelled".to_owned()),
        _ => Some("for a reason this version does not know".to_owned()),
    }
}

fn limit_reached(control: Control, limit: u64, observed: u64) -> String {
    let (limit, observed) = match control {
        Control::Memory => (exact_size(limit), format!("peak {}", size(observed))),
        Control::CpuTime => (exact_time(limit), format!("used {}", time(observed))),
        Control::WallTime => (exact_time(limit), format!("ran {}", time(observed))),
        Control::Processes => (limit.to_string(), format!("peak {observed}")),
        Control::OpenFiles => (limit.to_string(), format!("open {observed}")),
        Control::Output => (exact_size(limit), format!("printed {}", size(observed))),
        Control::FileSize | Control::Disk => {
            (exact_size(limit), format!("used {}", size(observed)))
        }
        _ => (limit.to_string(), format!("used {observed}")),
    };
    format!("{control} limit {limit} reached ({observed})")
}

/// What the user did not get to see.
pub(crate) fn truncations(report: &Report) -> Vec<String> {
    let streams = [
        (report.output.stdout_truncated, "standard output"),
        (report.output.stderr_truncated, "standard error"),
    ];
    // A run that was stopped says so itself.
    let ended = matches!(report.verdict, Verdict::Exited { .. } | Verdict::Signaled { .. });
    let cut = streams.into_iter().filter(|(truncated, _)| *truncated && ended);
    cut.map(|(_, stream)| format!("note: {stream} was cut at the output limit")).collect()
}

const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// The largest unit that `bytes` holds at least once, as an index and a divisor.
fn unit(bytes: u64) -> (usize, u64) {
    let index = (bytes.max(1).ilog2() / 10).min(UNITS.len() as u32 - 1);
    (index as usize, 1 << (10 * index))
}

/// As measured, to a tenth: `64.0 MiB`.
fn size(bytes: u64) -> String {
    match unit(bytes) {
        (0, _) => format!("{bytes} B"),
        (index, divisor) => format!("{:.1} {}", bytes as f64 / divisor as f64, UNITS[index]),
    }
}

/// As asked for, with no more digits than it needs: `64 MiB`.
fn exact_size(bytes: u64) -> String {
    match unit(bytes) {
        (index, divisor) if bytes.is_multiple_of(divisor) => {
            format!("{} {}", bytes / divisor, UNITS[index])
        }
        _ => size(bytes),
    }
}

/// As measured, to a hundredth of a second: `1.00 s`.
fn time(nanoseconds: u64) -> String {
    format!("{:.2} s", Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// As asked for: `1 s`, `0.25 s`.
fn exact_time(nanoseconds: u64) -> String {
    format!("{} s", Duration::from_nanos(nanoseconds).as_secs_f64())
}

#[cfg(test)]
mod tests;
