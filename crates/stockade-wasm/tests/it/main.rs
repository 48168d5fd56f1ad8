//! The WebAssembly backend against guests written by hand, most of them hostile.
#![allow(clippy::unwrap_used)]

mod any_call;
mod bad_input;
mod cache;
mod calls;
mod components;
mod conformance;
mod files;
mod generated;
mod guests;
mod host_functions;
mod hostile;
mod receipt;
mod siblings;
mod stopping;
mod streams;
mod verdicts;

use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{
    Bytes, Control, Error, Execution, Limit, Policy, Prepared, Program, Report, Result, Sandbox,
    Stdio, Verdict,
};
use stockade_wasm::WasmSandbox;

/// One sandbox for all tests, as an application would have: guests are each other's siblings.
static SANDBOX: LazyLock<WasmSandbox> =
    LazyLock::new(|| WasmSandbox::new().expect("the engines can be made"));

/// Far more than any stop may take on a loaded machine, far less than what guests wait for.
const SOON: Duration = Duration::from_secs(2);

fn module(text: &str) -> Program {
    Program::module(wat::parse_str(text).expect("the guest is well written"))
}

fn prepare(policy: &Policy, text: &str) -> Box<dyn Prepared> {
    SANDBOX.prepare(policy, &module(text)).expect("the guest can be prepared")
}

fn run(policy: &Policy, text: &str) -> Report {
    run_with(policy, text, Stdio::captured())
}

fn run_with(policy: &Policy, text: &str, stdio: Stdio) -> Report {
    let execution = prepare(policy, text).start(stdio).expect("the guest starts");
    execution.wait().expect("the guest is reported on")
}

fn refused(policy: &Policy, program: &Program) -> Error {
    match SANDBOX.prepare(policy, program) {
        Ok(_) => panic!("{program:?} was accepted"),
        Err(error) => error,
    }
}

fn wall(limit: Duration) -> Policy {
    let mut policy = Policy::default();
    policy.limits.wall_time = limit.into();
    policy
}

fn memory(bytes: u64) -> Policy {
    let mut policy = Policy::default();
    policy.limits.memory = Limit::At(Bytes(bytes));
    policy
}

/// Waits on a thread of its own, so that a guest that cannot be stopped fails its test.
fn wait_soon(execution: Box<dyn Execution>) -> Result<Report> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let _ = send.send(execution.wait());
    });
    receive.recv_timeout(5 * SOON).expect("the run is over soon")
}

/// Runs a guest that must be stopped for its wall time.
fn assert_wall_stops(text: &str, stdio: Stdio) {
    let limit = Duration::from_millis(200);
    let begun = Instant::now();
    let execution = prepare(&wall(limit), text).start(stdio).expect("the guest starts");
    let report = wait_soon(execution).expect("the guest is reported on");
    assert_limit(&report, Control::WallTime);
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    assert!(report.usage.wall_ns >= 200_000_000, "{:?}", report.usage);
}

fn assert_limit(report: &Report, expected: Control) {
    match report.verdict {
        Verdict::Limit { control, limit, observed } => {
            assert_eq!(control, expected);
            assert!(observed >= limit, "{observed} of {limit}");
        }
        ref other => panic!("{other:?} instead of a {expected} limit"),
    }
}

fn assert_trapped(report: &Report, words: &str) {
    match &report.verdict {
        Verdict::Trapped { trap, .. } => assert!(trap.contains(words), "{trap}"),
        other => panic!("{other:?} instead of a trap"),
    }
}

fn assert_exited(report: &Report, status: i32) {
    assert_eq!(report.verdict, Verdict::Exited { code: status }, "{report:?}");
}
