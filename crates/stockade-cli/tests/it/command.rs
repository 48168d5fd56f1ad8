//! Running the command under test.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

use serde_json::Value;

/// The command under test.
pub(crate) fn stockade() -> Command {
    let binary = env::var_os("STOCKADE_TEST_BIN");
    Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_stockade").into()))
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs the command with these words and no input.
pub(crate) fn call<S: AsRef<OsStr>>(words: &[S]) -> Outcome {
    let output = stockade().args(words).stdin(Stdio::null()).output();
    output.expect("the command starts").into()
}

/// `run`, accepting what this host can only approximate. Nothing else is accepted weaker.
pub(crate) fn run_command() -> Command {
    let mut command = stockade();
    command.arg("run");
    let controls = approximated();
    if !controls.is_empty() {
        command.args(["--best-effort", controls]);
    }
    command
}

/// Runs a program in the sandbox without input. The words are options and the program.
pub(crate) fn run(words: &[&str]) -> Outcome {
    run_command().args(words).stdin(Stdio::null()).output().expect("the command starts").into()
}

/// As [`run`], with the report.
pub(crate) fn run_reported(words: &[&str]) -> (Outcome, Value) {
    let dir = TempDir::new();
    let file = dir.path().join("report.json");
    let output = run_command().arg("--report").arg(&file).args(words).stdin(Stdio::null()).output();
    let outcome = Outcome::from(output.expect("the command starts"));
    let text = fs::read_to_string(&file).unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(report) => (outcome, report),
        Err(error) => panic!("{error} in the report {text:?} of {words:?}: {outcome:?}"),
    }
}

/// Starts `run` with all three streams connected to pipes.
pub(crate) fn start(words: &[&str]) -> Child {
    let mut command = run_command();
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Gives a started command its input and waits for it.
pub(crate) fn feed(mut child: Child, input: Vec<u8>) -> Output {
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program may end without reading; the command then closes the pipe.
    let feeder = thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().expect("the command ends");
    feeder.join().expect("the feeder ends");
    output
}

/// The controls that `doctor` finds approximated here, as `--best-effort` takes them.
pub(crate) fn approximated() -> &'static str {
    static CONTROLS: OnceLock<String> = OnceLock::new();
    CONTROLS.get_or_init(|| with_status("approximated").join(","))
}

/// The controls to which `doctor` gives this status here.
fn with_status(status: &str) -> Vec<String> {
    let found = call(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&found.stdout).expect("doctor prints JSON");
    let controls = found["backends"][0]["controls"].as_array().expect("a list of controls");
    let such = controls.iter().filter(|control| control["status"] == status);
    such.filter_map(|control| control["control"].as_str()).map(str::to_owned).collect()
}

/// Whether a test that needs `control` is to be left out, which it says. A host that was declared
/// to have cgroups must have it.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn lacks(test: &str, control: &str) -> bool {
    let lacks = with_status("unavailable").iter().any(|name| name == control);
    let declared = env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
    assert!(!(lacks && declared.contains("cgroup")), "{control} was declared and is not there");
    if lacks {
        println!("SKIP: {test}: this host cannot enforce {control}");
    }
    lacks
}

/// A directory that is removed with this value.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("stockade-cli-{}-{count}", process::id()));
        fs::create_dir(&dir).expect("a fresh directory");
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, contents).expect("a file in a fresh directory");
        path.to_str().expect("a UTF-8 path").to_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _: std::io::Result<()> = fs::remove_dir_all(&self.0);
    }
}
