//! [`Log`]: where errors go. The file of `--log` is what engines read; standard error is for people.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{self, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use crate::args::{Format, Globals};
use crate::failure::Failure;

/// The log of one command. The file is opened for each line: most commands write none, and what writes
/// one ends with it.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<PathBuf>,
    format: Format,
    is_debug: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    msg: &'a str,
    time: &'a str,
}

impl Log {
    pub(crate) fn new(globals: &Globals) -> Self {
        let file = globals.log.as_deref().filter(|file| !file.as_os_str().is_empty());
        // The working directory may be another when a line is written.
        let file = file.map(|file| path::absolute(file).unwrap_or_else(|_| file.to_owned()));
        Self { file, format: globals.log_format, is_debug: globals.debug }
    }

    /// A log that is not kept.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { file: None, format: Format::Json, is_debug: false }
    }

    /// A log in a file, without what is only for `--debug`.
    #[cfg(test)]
    pub(crate) fn at(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::none() }
    }

    /// What a command ends with. Engines show the last line of this level to their users.
    pub(crate) fn error(&self, failure: &Failure) {
        let message = failure.to_string();
        self.line("error", &message);
        // Nobody is left to be told when this fails.
        let _ = writeln!(io::stderr(), "stockade-oci: {message}");
    }

    /// Something that is passed over. It is in the log alone: engines take standard error for the
    /// program's.
    pub(crate) fn warn(&self, message: &str) {
        self.line("warning", message);
    }

    /// What is done, if `--debug` asks for it.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.is_debug {
            self.line("debug", &message());
        }
    }

    fn line(&self, level: &str, message: &str) {
        let Some(file) = &self.file else { return };
        let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let line = line(self.format, &Line { level, msg: message, time: &time });
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).mode(0o644).open(file);
        // One write, so that the lines of two commands do not mix.
        if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
            let _ = writeln!(io::stderr(), "stockade-oci: {}: {error}", file.display());
        }
    }
}

fn line(format: Format, line: &Line<'_>) -> String {
    match format {
        Format::Json => {
            let mut text = serde_json::to_string(line).unwrap_or_default();
            text.push('\n');
            text
        }
        Format::Text => {
            let mut text = String::new();
            let _ = writeln!(text, "time={:?} level={} msg={:?}", line.time, line.level, line.msg);
            text
        }
    }
}

#[cfg(test)]
mod tests;
