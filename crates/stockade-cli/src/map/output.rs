//! What became of a job, as one line.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use stockade::{Error, Report, Result};

use super::job::Text;
use super::lines::Input;
use super::source::Entry;
use super::{file_error, open};
use crate::exit::{self, Exit};
use crate::stream;

const WRITE: &str = "write reports to";

/// Where reports go. A line is written at once and whole.
pub(super) struct Output {
    path: PathBuf,
    file: File,
}

/// How many jobs ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) reports: u64,
    pub(super) errors: u64,
}

/// One line of the output.
#[derive(Debug, Serialize)]
struct Answer {
    id: Value,
    line: u64,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Ended { report: Box<Report>, stdout: Text, stderr: Text },
    Failed { error: Failure },
}

#[derive(Debug, Serialize)]
struct Failure {
    kind: &'static str,
    message: String,
    hint: Option<String>,
}

impl Output {
    /// Opens a file, and empties it unless it is where the jobs come from.
    pub(super) fn open(path: &Path, input: &Input) -> Result<Self> {
        let standard = || io::stdout().as_fd().try_clone_to_owned();
        let file = open(path, standard, |path| {
            if path.metadata().is_ok_and(|metadata| input.is(&metadata)) {
                return Err(io::Error::other("the jobs are in that file"));
            }
            File::create(path)
        });
        let file = file.map_err(|error| file_error(WRITE, path, error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    pub(super) fn write(&mut self, entry: Entry, result: Result<Report>) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Answer::new(entry, result))?;
        line.push(b'\n');
        stream::write_all(&mut self.file, &line)
    }

    /// Explains why a line could not be written; says nothing if its reader is gone.
    pub(super) fn failed(&self, error: io::Error) -> Exit {
        if self.path.as_os_str() == "-" {
            return exit::output(error);
        }
        exit::failed(&file_error(WRITE, &self.path, error))
    }
}

impl Answers {
    pub(super) fn count(&mut self, result: &Result<Report>) {
        match result {
            Ok(_) => self.reports += 1,
            Err(_) => self.errors += 1,
        }
    }
}

impl Answer {
    fn new(Entry { line, id, reason }: Entry, result: Result<Report>) -> Self {
        let outcome = match result {
            Ok(mut report) => {
                report.backend_reason = reason.map(str::to_owned);
                let stdout = std::mem::take(&mut report.stdout).into();
                let stderr = std::mem::take(&mut report.stderr).into();
                Outcome::Ended { report: Box::new(report), stdout, stderr }
            }
            Err(error) => Outcome::Failed { error: Failure::of(&error) },
        };
        Self { id, line, outcome }
    }
}

impl Failure {
    /// An error with its causes, of which none repeats the next.
    fn of(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message += &format!(": {error}");
            cause = error.source();
        }
        Self { kind: error.kind().name(), message, hint: error.hint().map(str::to_owned) }
    }
}
