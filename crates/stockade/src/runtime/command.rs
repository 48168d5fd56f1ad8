//! One external command of a build: its output kept, its time bounded.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use stockade_core::{Error, ErrorKind, Result};

/// The longest that one command may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const PAUSE: Duration = Duration::from_millis(20);
/// How much of what a command said is worth showing.
const TAIL: usize = 1500;

/// Why a step of a build failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("cannot start `{program}`")]
    Start { program: String, source: io::Error },
    #[error("`{program}` took longer than {} minutes", PATIENCE.as_secs() / 60)]
    Slow { program: String },
    #[error("`{program}` failed ({status}):\n{tail}")]
    Failed { program: String, status: ExitStatus, tail: String },
}

/// A command in the directory of a build.
pub(super) struct Step<'a> {
    command: Command,
    folder: &'a Path,
    hint: &'a str,
}

impl<'a> Step<'a> {
    /// `hint` is what to do when it cannot be started or fails.
    pub(super) fn new(program: impl Into<PathBuf>, folder: &'a Path, hint: &'a str) -> Self {
        let mut command = Command::new(program.into());
        command.current_dir(folder).stdin(Stdio::null());
        // What the caller's own Python has must not get into what is built.
        for name in ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"] {
            command.env_remove(name);
        }
        Self { command, folder, hint }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds the words of a line.
    pub(super) fn words(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Result<()> {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let log = self.folder.join("output.log");
        let result = self.attempt(&log, &program);
        result.map_err(|error| {
            let kind = match &error {
                StepError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    ErrorKind::NotFound
                }
                _ => ErrorKind::Setup,
            };
            Error::new(kind, error).with_hint(self.hint)
        })
    }

    fn attempt(&mut self, log: &Path, program: &str) -> Result<(), StepError> {
        let failed = |source| StepError::Start { program: program.to_owned(), source };
        let output = File::create(log).map_err(failed)?;
        let both = output.try_clone().map_err(failed)?;
        let mut child = self.command.stdout(output).stderr(both).spawn().map_err(failed)?;
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if begun.elapsed() < PATIENCE => sleep(PAUSE),
                None => {
                    // It may have ended just now; both answers are the same to us.
                    let _: io::Result<()> = child.kill();
                    child.wait().map_err(failed)?;
                    return Err(StepError::Slow { program: program.to_owned() });
                }
            }
        };
        if status.success() {
            return Ok(());
        }
        Err(StepError::Failed { program: program.to_owned(), status, tail: tail(log) })
    }
}

/// The end of what a command said.
fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}
