//! Running a test in a process of its own, where nothing else goes on.

use std::env;
use std::process::{Command, Output, Stdio};

use stockade_conformance::Scratch;

/// Set in the process that is a test's own.
const ALONE: &str = "STOCKADE_TEST_ALONE";

/// Runs `body` in a new process of this test binary, whose temporary files are counted: there are
/// none when it is over. `module` is the caller's `module_path!()`, `name` its own.
pub(crate) fn alone(module: &str, name: &str, body: impl FnOnce()) {
    if is_alone() {
        return body();
    }
    let scratch = Scratch::new();
    let mut command = itself(module, name);
    command.env("TMPDIR", scratch.path()).stdin(Stdio::null());
    let output = command.output().expect("the test binary starts");
    let Output { status, stdout, stderr } = output;
    let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
    assert!(status.success(), "{status}\n{said}");
    assert!(said.contains("1 passed"), "{module}::{name} is no test:\n{said}");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).expect("it was made above").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Whether this process is a test's own.
pub(crate) fn is_alone() -> bool {
    env::var_os(ALONE).is_some()
}

/// The command that runs one test of this binary in a process of its own.
pub(crate) fn itself(module: &str, name: &str) -> Command {
    let module = module.split_once("::").map_or("", |(_, module)| module);
    let mut command = Command::new(env::current_exe().expect("/proc is mounted"));
    command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]).env(ALONE, "1");
    command
}
