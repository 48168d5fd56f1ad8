//! One run, measured: time on the clock, CPU time, and what a report tells.

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stockade_core::{Prepared, Report, Result as SandboxResult, Stdio};

/// What one run took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ran {
    pub(crate) wall_ns: u64,
    pub(crate) cpu_ns: u64,
    /// As in the report, preparing first where it was part of the run.
    pub(crate) phases: Vec<(String, u64)>,
}

/// Measures `work`, which runs something to its end.
pub(crate) fn measure<T>(work: impl FnOnce() -> Result<T, String>) -> Result<(T, Ran), String> {
    let cpu = cpu_ns();
    let begun = Instant::now();
    let value = work()?;
    let wall = begun.elapsed();
    let cpu_ns = cpu_ns().saturating_sub(cpu);
    Ok((value, Ran { wall_ns: nanos(wall), cpu_ns, phases: Vec::new() }))
}

/// Measures a child, whose own CPU time `work` gives.
pub(crate) fn measure_child(
    work: impl FnOnce() -> Result<Duration, String>,
) -> Result<Ran, String> {
    let (cpu, mut ran) = measure(work)?;
    ran.cpu_ns += nanos(cpu);
    Ok(ran)
}

/// Measures a run that is reported, and wants it to have ended well.
pub(crate) fn measure_report(
    work: impl FnOnce() -> SandboxResult<Report>,
) -> Result<(Report, Ran), String> {
    let (report, mut ran) = measure(|| work().map_err(|error| chain(&error)))?;
    let report = succeeded(report)?;
    ran.phases = report.timings.phases.iter().map(|p| (p.name.to_string(), p.ns)).collect();
    Ok((report, ran))
}

/// Starts something prepared, and waits for it.
pub(crate) fn start(prepared: &dyn Prepared) -> SandboxResult<Report> {
    prepared.start(Stdio::captured())?.wait()
}

/// The report of a run that ended well.
pub(crate) fn succeeded(report: Report) -> Result<Report, String> {
    match report.verdict.success() {
        true => Ok(report),
        false => Err(format!("the program did not end well: {:?}", report.verdict)),
    }
}

/// CPU time of this process, with all its threads.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// CPU time of another process and of its children that it has waited for, to a tick of the clock:
/// good for many runs together; see proc(5), `stat`.
pub(crate) fn family_cpu_ns(process: u32) -> Option<u64> {
    const TICK_NS: u64 = 10_000_000;
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything. The third field follows it; four times begin with
    // the fourteenth.
    let (_, fields) = text.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4).map(str::parse::<u64>);
    let times: Result<Vec<u64>, _> = times.collect();
    times.ok().filter(|times| times.len() == 4).map(|times| times.iter().sum::<u64>() * TICK_NS)
}

/// A duration in nanoseconds.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_family_time_and_a_missing_one_has_none() {
        assert!(family_cpu_ns(std::process::id()).is_some());
        assert_eq!(family_cpu_ns(u32::MAX), None);
    }
}
