//! How many system calls a run takes of the host and of the warden, as strace(1) counts them: bounds
//! that a run is far below, unless something is done anew in every start, or again and again.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio as Pipes};

use rustix::process::{Pid, Signal, kill_process};
use stockade_conformance::Job;
use stockade_core::{Prepared, Stdio};
use stockade_guests as guests;

use crate::machine::{expects, soon, status, subject};

/// Runs that are counted together.
const RUNS: usize = 20;
/// Most calls of the thread that starts a run: a socket and two pipes, a message, what is closed again.
/// They are eight, and eleven where the standard library checks what it closes.
const HOST: usize = 14;
/// Most calls of the thread that waits for a run whose output it captures.
const WAIT: usize = 20;
/// Most calls of the warden for a run, its cgroups and all.
const WARDEN: usize = 250;

fn run(prepared: &dyn Prepared) {
    let run = prepared.start(Stdio::captured()).expect("it starts");
    let report = Job::wait(run).expect("it is reported");
    assert!(report.verdict.success(), "{:?}", report.verdict);
}

#[test]
fn a_run_takes_few_system_calls_of_its_host() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    run(&*prepared);
    let thread = this_thread();
    let Some(counter) = Counter::attach(thread) else { return };
    let runs: Vec<_> =
        (0..RUNS).map(|_| prepared.start(Stdio::captured()).expect("it starts")).collect();
    let starts = counter.detach();
    for run in runs {
        Job::wait(run).expect("it is reported");
    }
    let Some(counter) = Counter::attach(thread) else { return };
    (0..RUNS).for_each(|_| run(&*prepared));
    let whole = counter.detach();
    // To attach and to detach is seen as well: a call or two, not one for each run.
    assert!(starts / RUNS <= HOST, "{starts} calls for {RUNS} starts");
    assert!(whole / RUNS <= HOST + WAIT, "{whole} calls for {RUNS} runs");
    assert!(RUNS * 4 <= starts && starts < whole, "{starts} and {whole} calls were counted");
}

#[test]
fn a_run_takes_few_system_calls_of_its_warden() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    run(&*prepared);
    let warden = subject.backend().warden_id().expect("there is a warden");
    let warden = Pid::from_raw(warden.try_into().expect("a process id")).expect("not zero");
    let Some(counter) = Counter::attach(warden) else { return };
    (0..RUNS).for_each(|_| run(&*prepared));
    let calls = counter.detach();
    assert!(calls / RUNS <= WARDEN, "{calls} calls for {RUNS} runs");
    assert!(RUNS * 4 <= calls, "{calls} calls were counted");
}

fn this_thread() -> Pid {
    let link = fs::read_link("/proc/thread-self").expect("there is /proc");
    let name = link.file_name().and_then(|name| name.to_str()).expect("it ends with a number");
    Pid::from_raw(name.parse().expect("a number")).expect("not zero")
}

/// A tracer that counts the calls of one thread.
struct Counter {
    tracer: Child,
    summary: PathBuf,
}

impl Counter {
    /// Begins to count; `None`, and a word about it, where that is not possible.
    fn attach(thread: Pid) -> Option<Self> {
        let name = format!("stockade-calls-{}", thread.as_raw_nonzero());
        let summary = std::env::temp_dir().join(name);
        let mut strace = Command::new("strace");
        strace.args(["-c", "-p", &thread.as_raw_nonzero().to_string(), "-o"]).arg(&summary);
        strace.stdin(Pipes::null()).stdout(Pipes::null()).stderr(Pipes::null());
        let Ok(tracer) = strace.spawn() else {
            expects("strace", "strace is not installed");
            return None;
        };
        let mut counter = Self { tracer, summary };
        let traced = || {
            let pid = thread.as_raw_nonzero().get().unsigned_abs();
            status(pid, "TracerPid").is_some_and(|tracer| tracer != "0")
        };
        let over = |tracer: &mut Child| !matches!(tracer.try_wait(), Ok(None));
        soon(|| traced() || over(&mut counter.tracer));
        if !traced() {
            expects("strace", "strace may not trace here");
            return None;
        }
        Some(counter)
    }

    /// The calls so far.
    fn detach(mut self) -> usize {
        let tracer = Pid::from_child(&self.tracer);
        kill_process(tracer, Signal::INT).expect("the tracer is there");
        self.tracer.wait().expect("the tracer ends");
        let summary = fs::read_to_string(&self.summary).expect("it has written");
        let total = summary.lines().find(|line| line.trim_end().ends_with("total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3));
        calls.and_then(|calls| calls.parse().ok()).unwrap_or_else(|| panic!("{summary}"))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
        let _ = fs::remove_file(&self.summary);
    }
}
