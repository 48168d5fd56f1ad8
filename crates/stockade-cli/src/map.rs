//! `stockade map`.

mod job;
mod lines;
mod output;
mod progress;
mod source;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockade::batch::{self, Batch, Options};
use stockade::{Error, ErrorKind, Result};

use crate::args::MapArgs;
use crate::exit::{self, Exit};
use crate::interrupt::{self, Interrupts};
use crate::{policy, stream};

use lines::Input;
use output::{Answers, Output};
use progress::Progress;
use source::{Jobs, Ledger};

/// Runs a stream of jobs under one policy, and writes what becomes of them as they end.
pub(crate) fn map(args: &MapArgs) -> Result<Exit, Exit> {
    attempt(args).unwrap_or_else(|error| Err(exit::failed(&error)))
}

fn attempt(args: &MapArgs) -> Result<Result<Exit, Exit>> {
    let policy = Arc::new(policy::of(&args.policy)?);
    let input = Input::open(&args.jobs)?;
    let mut output = Output::open(&args.reports, &input)?;
    let interrupts = Interrupts::listen().map_err(|error| Error::new(ErrorKind::Io, error))?;
    let progress = Progress::on_a_terminal(input.size());
    let ledger = Arc::new(Ledger::default());
    let lines = input.follow().map_err(|error| Error::new(ErrorKind::Io, error))?;
    let jobs = Jobs::new(lines, args.backend, policy, Arc::clone(&ledger));
    let mut options = Options::default();
    options.max_parallel = args.max_parallel;
    let mut batch = batch::run_all(jobs, options)?;
    interrupts.kills(batch.killer());

    let (answers, written) = write_all(&mut batch, &ledger, &mut output, &progress);
    // Whoever waits for a line must not wait longer than the batch.
    ledger.close();
    drop(batch);
    progress.clear();
    if let Err(error) = written {
        return Ok(Err(output.failed(error)));
    }
    if let Some(error) = ledger.failure() {
        return Err(unreadable(&args.jobs, error));
    }
    if let Some(signal) = interrupts.signal() {
        let done = format!("every program was killed, {} reports written", answers.reports);
        exit::say(&interrupt::notice(signal, &done));
        return Ok(Ok(Exit::signal(signal)));
    }
    Ok(Ok(conclude(answers)))
}

/// Writes every result of the batch; stops at the first that cannot be written.
fn write_all(
    batch: &mut Batch,
    ledger: &Ledger,
    output: &mut Output,
    progress: &Progress,
) -> (Answers, io::Result<()>) {
    let mut answers = Answers::default();
    while let Some((index, result)) = batch.next() {
        let entry = ledger.take(index);
        answers.count(&result);
        if let Err(error) = progress.around(|| output.write(entry, result)) {
            return (answers, Err(error));
        }
        progress.show(&answers, batch.running(), ledger.position());
    }
    (answers, Ok(()))
}

fn conclude(answers: Answers) -> Exit {
    let Answers { reports, errors } = answers;
    if errors == 0 {
        return Exit::SUCCESS;
    }
    let all = reports + errors;
    exit::say(&format!("{errors} of {all} jobs have no report; their lines say why"));
    if reports == 0 { Exit::FAILED } else { Exit::INCOMPLETE }
}

/// A file of jobs or reports that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}", path.display())]
struct FileError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    file_error("read jobs from", path, source)
}

fn file_error(act: &'static str, path: &Path, source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    };
    Error::new(kind, FileError { act, path: path.to_owned(), source })
}

/// The file of this name, or a standard stream if it is `-`.
fn open(
    path: &Path,
    standard: impl FnOnce() -> io::Result<std::os::fd::OwnedFd>,
    file: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<File> {
    if path.as_os_str() == "-" { standard().map(stream::own) } else { file(path) }
}

#[cfg(test)]
mod tests;
