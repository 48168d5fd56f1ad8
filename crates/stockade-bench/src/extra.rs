//! What two targets need besides: how soon a limit has ended a run, and what a start asks the kernel.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio as Pipes};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use stockade_core::{Control, Execution, Mount, Prepared, Program, Stdio, Verdict};

use crate::contenders::{Native, Walls, policy};
use crate::measure::{chain, nanos, start};
use crate::modes::native;
use crate::options::Session;
use crate::scratch::installed;
use crate::spawn::{Owned, PATIENCE};
use crate::{Stopped, WORK};

/// When the limit is reached.
const LIMIT: Duration = Duration::from_millis(50);
/// Starts whose system calls are counted.
const STARTS: usize = 100;

/// What was found, or why not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extra {
    /// From a reached limit to the report, when nothing is alive: each sample.
    pub(crate) stopped_ns: Result<Vec<u64>, String>,
    /// System calls of the host for one start.
    pub(crate) calls: Result<f64, String>,
}

impl Default for Extra {
    fn default() -> Self {
        let not = || "not measured".to_owned();
        Self { stopped_ns: Err(not()), calls: Err(not()) }
    }
}

pub(crate) fn measure(session: &Session<'_>) -> Result<Extra, Stopped> {
    let count = session.count(100, 10);
    session.progress.at("limits", 0, count)?;
    let prepared = match limited(session) {
        Ok(prepared) => prepared,
        Err(reason) => return Ok(Extra { stopped_ns: Err(reason.clone()), calls: Err(reason) }),
    };
    let mut stopped = Vec::new();
    let mut failure = None;
    for round in 0..count {
        session.progress.at("limits", round, count)?;
        match stop(&*prepared.1) {
            Ok(ns) => stopped.push(ns),
            Err(reason) => failure = Some(reason),
        }
    }
    session.progress.at("system calls of a start", 0, 1)?;
    let calls = calls(session);
    Ok(Extra { stopped_ns: failure.map_or(Ok(stopped), Err), calls })
}

/// A program that sleeps longer than it may, with the sandbox that keeps its helper.
type Limited = (Box<dyn Native>, Box<dyn Prepared>);

fn limited(session: &Session<'_>) -> Result<Limited, String> {
    let sandbox = session.makers.native(Walls::All).map_err(|error| chain(&error))?;
    let mut policy = policy(&*sandbox);
    policy.limits.wall_time = LIMIT.into();
    policy.filesystem.mounts.push(Mount::file("/work", WORK));
    let program = Program::executable("/work").args(["sleep"]);
    let prepared = sandbox.prepare(&policy, &program).map_err(|error| chain(&error))?;
    Ok((sandbox, prepared))
}

fn stop(prepared: &dyn Prepared) -> Result<u64, String> {
    let begun = Instant::now();
    let report = start(prepared).map_err(|error| chain(&error))?;
    let took = begun.elapsed();
    match report.verdict {
        Verdict::Limit { control: Control::WallTime, .. } => Ok(nanos(took.saturating_sub(LIMIT))),
        verdict => Err(format!("it ended otherwise: {verdict:?}")),
    }
}

/// Counts by strace(1), once with starts and once without.
fn calls(session: &Session<'_>) -> Result<f64, String> {
    let strace = installed("strace").ok_or("strace is not installed")?;
    let sandbox = session.makers.native(Walls::All).map_err(|error| chain(&error))?;
    let program = Program::executable(native::program());
    let prepared = sandbox.prepare(&policy(&*sandbox), &program).map_err(|error| chain(&error))?;
    let file = session.scratch.path("calls");
    let count = |starts| {
        // On a thread of its own, which does nothing else.
        thread::scope(|scope| {
            let counted = scope.spawn(|| traced(&strace, &file, &*prepared, starts));
            counted.join().unwrap_or_else(|_| Err("a start panicked".to_owned()))
        })
    };
    let (with, without) = (count(STARTS)?, count(0)?);
    Ok(with.saturating_sub(without) as f64 / STARTS as f64)
}

/// The system calls of this thread while it starts so many.
fn traced(
    strace: &Path,
    file: &Path,
    prepared: &dyn Prepared,
    starts: usize,
) -> Result<u64, String> {
    let this = fs::read_link("/proc/thread-self").map_err(|error| error.to_string())?;
    let thread = this.file_name().unwrap_or_default();
    let mut command = Command::new(strace);
    command.arg("-c").arg("-o").arg(file).arg("-p").arg(thread);
    command.stdin(Pipes::null()).stdout(Pipes::null()).stderr(Pipes::null());
    let tracer = Owned::start(&mut command)?;
    let begun = Instant::now();
    while !is_traced() {
        if begun.elapsed() > Duration::from_secs(3) {
            return Err("strace may not trace this process".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let runs: Result<Vec<Box<dyn Execution>>, _> =
        (0..starts).map(|_| prepared.start(Stdio::captured())).collect();
    let pid = tracer.pid().ok_or("strace has ended")?;
    kill_process(pid, Signal::INT).map_err(|errno| errno.to_string())?;
    tracer.wait(PATIENCE)?;
    for run in runs.map_err(|error| chain(&error))? {
        run.wait().map_err(|error| chain(&error))?;
    }
    total(&fs::read_to_string(file).map_err(|error| error.to_string())?)
        .ok_or_else(|| "strace counted nothing".to_owned())
}

fn is_traced() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

/// The number of calls in the last line of a summary: share, seconds, microseconds for each, calls.
fn total(summary: &str) -> Option<u64> {
    let line = summary.lines().find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_a_summary_is_its_fourth_number() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
                       ------ ----------- ----------- --------- --------- ----------------\n\
                       100.00    0.000101           1        70           pipe2\n\
                       ------ ----------- ----------- --------- --------- ----------------\n\
                       100.00    0.000101           1        72         2 total\n";
        assert_eq!(total(summary), Some(72));
        assert_eq!(total(""), None);
    }
}
