//! Lets a test do in a process of its own what it could not undo: the test's binary executes itself.

use std::env;
use std::process::{Command, Output, Stdio};

/// Names the test that is run inside.
const INSIDE: &str = "STOCKADE_TEST_INSIDE";

/// Whether this is the process of its own.
pub(crate) fn is_inside(test: &str) -> bool {
    env::var_os(INSIDE).is_some_and(|inside| inside == test)
}

/// How the test's binary executes itself, for that test alone, by a program that prepares the place:
/// `unshare`, or `env` for none.
pub(crate) fn command(test: &str, by: &[&str]) -> Command {
    let (program, arguments) = by.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(arguments).arg(env::current_exe().expect("a path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INSIDE, test);
    command
}

/// What it gave.
pub(crate) fn run(test: &str, by: &[&str]) -> Output {
    // Not /dev/null: a test that gives its streams away would give away the host's.
    let mut command = command(test, by);
    command.stdin(Stdio::piped()).output().expect("the test's binary is executed")
}

/// Does the body in a process of its own, and fails where it fails. The last line that it prints is
/// there to say that it was not skipped.
#[expect(clippy::print_stdout, reason = "the process says to the other one how it went")]
pub(crate) fn inside(test: &str, by: &[&str], body: impl FnOnce()) {
    if is_inside(test) {
        body();
        println!("DONE: {test}");
        return;
    }
    let output = run(test, by);
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if let Some(line) = said.lines().find(|line| line.starts_with("SKIP: ")) {
        println!("{line}");
        return;
    }
    assert!(
        output.status.success() && said.contains(&format!("DONE: {test}")),
        "{}\n{said}\n{errors}",
        output.status
    );
}

/// Says that a test could not be made here.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn skip(test: &str, reason: &str) {
    println!("SKIP: {test}: {reason}");
}

/// Where a test needs root and has it not, says so.
pub(crate) fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip(test, "needs root");
    }
    is_root
}

/// A test that needs its own namespaces is prepared by this, with options behind it.
pub(crate) const UNSHARE: &str = "unshare";

/// A value of a status file of /proc.
pub(crate) fn status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("a procfs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.expect("the field").split_whitespace().collect::<Vec<_>>().join(" ")
}
