//! [`Exit`]: the exit status, and the lines on standard error that explain it.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::process::ExitCode;

use stockade::{Error, ErrorKind};

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Everything went well.
    pub(crate) const SUCCESS: Self = Self(0);
    /// `policy check` found the policy bad.
    pub(crate) const BAD_POLICY: Self = Self(1);
    /// `doctor` found a backend that does not meet the default policy.
    pub(crate) const NOT_MET: Self = Self(1);
    /// `doctor --attack` saw an attack get through.
    pub(crate) const BREACHED: Self = Self(1);
    /// `map` has a job without a report.
    pub(crate) const INCOMPLETE: Self = Self(1);
    /// A limit or a refusal ended the program.
    pub(crate) const STOPPED: Self = Self(124);
    /// Stockade itself could not do what was asked.
    pub(crate) const FAILED: Self = Self(125);
    /// Whoever read the output is gone; as a shell shows a program that died of SIGPIPE.
    pub(crate) const BROKEN_PIPE: Self = Self::signal(13);

    /// The program's own status.
    pub(crate) fn program(code: i32) -> Self {
        Self(u8::try_from(code & 0xff).unwrap_or(u8::MAX))
    }

    /// As a shell shows a program that died of signal `number`.
    pub(crate) const fn signal(number: i32) -> Self {
        Self(128 | (number & 0x7f) as u8)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}

/// Writes one line about this run. Nobody may be listening, and that changes nothing.
pub(crate) fn say(text: &str) {
    // One write per line, so that lines of concurrent runs do not mix.
    let _: io::Result<()> = io::stderr().write_all(format!("stockade: {text}\n").as_bytes());
}

/// Explains an error: what went wrong, why, and what to do about it.
pub(crate) fn failed(error: &Error) -> Exit {
    explain(error, error.hint());
    Exit::FAILED
}

/// Explains why standard output could not be written; says nothing if its reader is gone.
pub(crate) fn output(error: io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::BROKEN_PIPE;
    }
    failed(&Error::new(ErrorKind::Io, OutputError { stream: "standard output", source: error }))
}

/// One of the command's own streams could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {stream}")]
pub(crate) struct OutputError {
    pub(crate) stream: &'static str,
    pub(crate) source: io::Error,
}

fn explain(error: &dyn StdError, hint: Option<&str>) {
    say(&format!("error: {error}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        say(&format!("caused by: {error}"));
        cause = error.source();
    }
    if let Some(hint) = hint {
        say(&format!("hint: {hint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn a_status_is_the_programs_own_or_128_and_the_signal() {
        assert_eq!(Exit::program(7), Exit(7));
        assert_eq!(Exit::program(-1), Exit(255));
        assert_eq!(Exit::signal(9), Exit(137));
        assert_eq!(Exit::BROKEN_PIPE, Exit(141));
    }
}
