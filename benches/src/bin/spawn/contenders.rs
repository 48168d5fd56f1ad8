//! [`Contenders`]: the ways to run a program that are compared.

use std::path::Path;
use std::process::{Command, Stdio as Pipes};
use std::time::{Duration, Instant};

use stockade::{Policy, Prepared, Program, Report, Result, Sandbox, Stdio};

use crate::phases::Phases;

/// Where the program really is: a link on the way would cost the plain spawn a lookup.
const PROGRAM: &str = "/usr/bin/true";
const BUBBLEWRAP: &str = "/usr/bin/bwrap";

/// A root like that of the default policy, and every namespace.
const BUBBLEWRAP_ARGS: &str = "--unshare-all --die-with-parent --new-session \
    --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
    --proc /proc --dev /dev --tmpfs /tmp --chdir /tmp --clearenv";

/// What is compared, all with the same program.
pub(crate) struct Contenders<'a> {
    sandbox: &'a dyn Sandbox,
    policy: Policy,
    program: Program,
    prepared: Box<dyn Prepared>,
    bubblewrap: bool,
}

impl<'a> Contenders<'a> {
    pub(crate) fn new(sandbox: &'a dyn Sandbox, policy: Policy) -> Result<Self> {
        let program = Program::executable(PROGRAM);
        let prepared = sandbox.prepare(&policy, &program)?;
        let bubblewrap = Path::new(BUBBLEWRAP).exists();
        Ok(Self { sandbox, policy, program, prepared, bubblewrap })
    }

    /// The plain spawn first, which is what the others are compared with.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = vec!["plain spawn and wait", "stockade, prepared", "stockade, run"];
        if self.bubblewrap {
            names.push("bubblewrap --unshare-all");
        }
        names
    }

    /// Runs one and says how long it took.
    pub(crate) fn run(&self, which: usize, phases: &mut Phases) -> Result<Duration, String> {
        let begun = Instant::now();
        match which {
            0 => spawn(&mut Command::new(PROGRAM))?,
            1 => {
                let report = self.prepared.start(Stdio::captured()).and_then(|run| run.wait());
                let took = begun.elapsed();
                let report = checked(report)?;
                phases.add(&report.timings);
                return Ok(took);
            }
            2 => drop(checked(self.sandbox.run(&self.policy, &self.program))?),
            _ => {
                let mut command = Command::new(BUBBLEWRAP);
                spawn(command.args(BUBBLEWRAP_ARGS.split_whitespace()).arg(PROGRAM))?;
            }
        }
        Ok(begun.elapsed())
    }
}

fn spawn(command: &mut Command) -> Result<(), String> {
    let command = command.stdin(Pipes::null()).stdout(Pipes::null()).stderr(Pipes::null());
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn checked(report: Result<Report>) -> Result<Report, String> {
    let report = report.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })?;
    if report.verdict.success() { Ok(report) } else { Err(format!("{:?}", report.verdict)) }
}
