//! `stockade run`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use stockade::{Control, Error, ErrorKind, Prepared, Report, Result, Stdio, Verdict};

use crate::args::RunArgs;
use crate::exit::{self, Exit, OutputError};
use crate::interrupt::{self, Interrupts};
use crate::stream::{Failure, Streams};
use crate::{backend, bundle, image, policy, report};

/// Runs a program with its streams passed through; the exit status is the program's.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, Exit> {
    attempt(args).map_err(|error| exit::failed(&error))
}

fn attempt(args: &RunArgs) -> Result<Exit> {
    // The files of an image stay as long as this does.
    let root = args.image.as_ref().map(image::root).transpose()?;
    let bundle = args.bundle.dir.as_ref().map(|bundle| bundle::load(bundle, args)).transpose()?;
    let mut policy = policy::with(&args.policy, |policy| {
        root.iter().for_each(|root| root.apply_to(policy));
        bundle.iter().for_each(|bundle| policy.clone_from(&bundle.policy));
    })?;
    let choice = match (&root, bundle) {
        (Some(root), _) => image::program(root, args)?,
        (None, Some(bundle)) => bundle.program.into(),
        (None, None) => {
            let name = args.program.as_deref().unwrap_or_default();
            let mut choice = backend::program(args.backend, name)?;
            choice.program = choice.program.args(&args.args);
            choice
        }
    };
    let sandbox = backend::open(&choice)?;
    policy.filesystem.mounts.extend(choice.mount);
    let prepared = sandbox.prepare(&policy, &choice.program)?;
    // A report that cannot be written is better known before the run than after it.
    let target = args.report.as_deref().map(ReportTarget::open).transpose()?;
    let interrupts = Interrupts::listen().map_err(|error| Error::new(ErrorKind::Io, error))?;
    let (report, failure) = follow(&*prepared, &interrupts)?;
    if let Some(target) = target {
        target.write(&report)?;
    }
    conclude(&report, failure, interrupts.signal())
}

/// Starts the run and passes its streams through until it is over.
fn follow(prepared: &dyn Prepared, interrupts: &Interrupts) -> Result<(Report, Option<Failure>)> {
    let mut run = prepared.start(Stdio::streamed())?;
    interrupts.kills(run.killer());
    let streams = Streams::connect(&mut *run).map_err(|error| Error::new(ErrorKind::Io, error))?;
    let report = run.wait()?;
    Ok((report, streams.finish(interrupts)))
}

/// Says what there is to say about a run that is over.
fn conclude(report: &Report, failure: Option<Failure>, signal: Option<i32>) -> Result<Exit> {
    if let Some(Failure { stream, error: source }) = failure {
        if source.kind() != io::ErrorKind::BrokenPipe {
            return Err(Error::new(ErrorKind::Io, OutputError { stream, source }));
        }
        // As in any pipeline, the reader that left has decided that it has enough.
        let cut_short = matches!(
            report.verdict,
            Verdict::Cancelled | Verdict::Limit { control: Control::Output, .. }
        );
        if cut_short {
            return Ok(Exit::BROKEN_PIPE);
        }
    }
    if report.verdict == Verdict::Cancelled
        && let Some(signal) = signal
    {
        exit::say(&interrupt::notice(signal, "the program was killed"));
        return Ok(Exit::signal(signal));
    }
    for line in report::truncations(report) {
        exit::say(&line);
    }
    if let Some(line) = report::last_line(&report.verdict, report.usage.peak_memory) {
        exit::say(&line);
    }
    Ok(report::exit(&report.verdict))
}

/// Where the report goes.
enum ReportTarget {
    Stderr,
    File(PathBuf, File),
}

/// The report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report to {}", path.display())]
struct ReportError {
    path: PathBuf,
    source: io::Error,
}

impl ReportTarget {
    fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stderr);
        }
        match File::create(path) {
            Ok(file) => Ok(Self::File(path.to_owned(), file)),
            Err(source) => Err(report_error(path, source)),
        }
    }

    fn write(self, report: &Report) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(report)
            .map_err(|error| Error::new(ErrorKind::Internal, error))?;
        text.push(b'\n');
        match self {
            Self::Stderr => {
                io::stderr().write_all(&text).map_err(|error| report_error("-".as_ref(), error))
            }
            Self::File(path, mut file) => {
                file.write_all(&text).map_err(|error| report_error(&path, error))
            }
        }
    }
}

fn report_error(path: &Path, source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    };
    Error::new(kind, ReportError { path: path.to_owned(), source })
}
