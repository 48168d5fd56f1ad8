//! Runtimes of languages as they are installed here; without them these tests are skipped.
#![cfg(feature = "wasm")]

#[cfg(all(feature = "attacks", feature = "namespace"))]
mod attacks;
mod batch;
#[cfg(all(feature = "embed", feature = "namespace"))]
mod embed;
mod javascript;
mod python;

use std::sync::OnceLock;
use std::time::Duration;

use stockade::runtime::{Language, Runtime};
use stockade::{ErrorKind, Policy, Program, Report, Sandbox, Stdio, Verdict, WasmSandbox};

/// One sandbox for all tests, so that each runtime is compiled once.
fn sandbox() -> &'static WasmSandbox {
    static SANDBOX: OnceLock<WasmSandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| WasmSandbox::new().expect("a sandbox"))
}

#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn installed(test: &str, language: Language) -> Option<Runtime> {
    match Runtime::find(language) {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            println!("SKIP: {test}: {error}");
            None
        }
    }
}

/// Enough for a slow machine.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::from_secs(60).into();
    policy.limits.cpu_time = Duration::from_secs(30).into();
    policy
}

fn run(policy: &Policy, program: &Program, input: &str) -> Report {
    let prepared = sandbox().prepare(policy, program).expect("it can be prepared");
    let stdio = Stdio::captured().stdin(input.as_bytes().to_vec());
    prepared.start(stdio).expect("it starts").wait().expect("it ends")
}

/// Runs a program and compares its exit status and both streams.
fn check(policy: &Policy, program: &Program, input: &str, expected: (i32, &str, &str)) {
    let report = run(policy, program, input);
    let (code, stdout, stderr) = expected;
    assert_eq!(text(&report.stdout), stdout, "{}", text(&report.stderr));
    assert_eq!(text(&report.stderr), stderr);
    assert_eq!(report.verdict, Verdict::Exited { code });
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
