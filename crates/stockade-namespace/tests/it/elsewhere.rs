//! Running a test's work as a host of its own, on a machine that is poorer than this one.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};
use std::thread;

use stockade_conformance::{Job, Native, Scratch, Subject as _};
use stockade_core::{Control, Error, Report, Result};
use stockade_guests as guests;
use stockade_namespace::NamespaceSandbox;

use crate::alone::itself;

/// How a process comes to live on a poorer machine.
pub(crate) enum Place<'a> {
    /// A system call fails: its number, the errno, and bits of which its first argument has one.
    Without(i64, i32, u64),
    /// A shell script goes before it, and ends with `exec "$0" "$@"`.
    After(&'a str),
}

/// A script that unmounts every filesystem of a `kind`, a pattern of mountinfo, for what it executes.
pub(crate) fn hidden(kind: &str) -> String {
    let unmount = format!(
        "awk \"/ - {kind}/{{print \\$5}}\" /proc/self/mountinfo | tac | xargs -r umount -l"
    );
    format!(r#"exec unshare --mount sh -ec '{unmount}; exec "$0" "$@"' "$0" "$@""#)
}

/// Runs the test `name` of `module` again, there, and gives what it said.
pub(crate) fn there(place: &Place<'_>, module: &str, name: &str, role: &str) -> String {
    let itself = itself(module, name);
    let scratch = Scratch::new();
    let mut command = match *place {
        Place::Without(call, errno, flags) => {
            // The build folder need not be here: in a container, say.
            let program = guests::WITHOUT_SYSCALL.install(scratch.path()).expect("there is room");
            let mut command = Command::new(program);
            command.args([call.to_string(), errno.to_string(), flags.to_string()]);
            command
        }
        Place::After(script) => {
            let mut command = Command::new("sh");
            command.args(["-ec", script]);
            command
        }
    };
    command.arg(itself.get_program()).args(itself.get_args()).stdin(Stdio::null());
    for (key, value) in itself.get_envs().filter_map(|(key, value)| Some((key, value?))) {
        command.env(key, value);
    }
    let output = started(command.env(ROLE, role));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let heard = said.lines().find_map(|line| line.split_once("heard: "));
    let Some((_, heard)) = heard else {
        panic!("{:?}: {said}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
    };
    heard.to_owned()
}

/// Runs it; again for as long as another test's process, just forked, has the program open for
/// writing (`ETXTBSY`, execve(2)).
fn started(command: &mut Command) -> Output {
    loop {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
            other => return other.expect("it starts"),
        }
    }
}

/// What it is to do there.
const ROLE: &str = "STOCKADE_TEST_ROLE";

/// The part of the process that [`there`] has started; `None` in the one that starts it.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Says it to the process that has started this one.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn say(text: &str) {
    println!("\nheard: {text}");
}

/// Runs a guest in a new sandbox, with best effort for whatever this place only approximates.
pub(crate) fn try_run(guest: &guests::Guest, args: &[&str], change: Change) -> Result<Report> {
    let subject = Native::new(NamespaceSandbox::new()?);
    let job = Job::new(&subject, guest).args(args).policy(change);
    let prepared = subject.sandbox().prepare(&job.policy, &job.program)?;
    Job::wait(prepared.start(stockade_core::Stdio::captured())?)
}

/// A change of a policy.
pub(crate) type Change = fn(&mut stockade_core::Policy);

/// An outcome as one line.
pub(crate) fn line(outcome: &Result<Report>) -> String {
    match outcome {
        Ok(report) => receipt(report),
        Err(error) => reason(error),
    }
}

fn receipt(report: &Report) -> String {
    let mut text = format!("{:?}, peak {};", report.verdict, report.usage.peak_memory);
    let shown = [Control::Memory, Control::CpuTime, Control::Processes, Control::Filesystem];
    for entry in report.enforcement.iter().filter(|entry| shown.contains(&entry.control)) {
        let (mechanism, reason) = (entry.mechanism.as_deref(), entry.reason.as_deref());
        let shown = [mechanism, reason].map(Option::unwrap_or_default).join(": ");
        write!(text, " [{} {} {shown}]", entry.control, entry.status).expect("memory");
    }
    text
}

/// The error with what caused it, and its hint.
fn reason(error: &Error) -> String {
    let mut text = format!("{:?}: {error}", error.kind());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        write!(text, ": {error}").expect("memory");
        source = error.source();
    }
    let hint = error.hint().map(ToString::to_string).unwrap_or_default();
    text + " | " + &hint
}
