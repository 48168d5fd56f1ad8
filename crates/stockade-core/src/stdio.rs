//! [`Stdio`]: where a program's streams go.

use std::fs::File;
use std::os::fd::OwnedFd;

/// Where the three standard streams of a run go. A program never gets a descriptor of the
/// caller's: every stream is a pipe of its own, pumped by [`Execution`](crate::Execution).
#[derive(Debug)]
#[non_exhaustive]
pub struct Stdio {
    /// What the program reads.
    pub stdin: Input,
    /// Where what it prints goes.
    pub stdout: Output,
    /// Where its complaints go.
    pub stderr: Output,
}

/// What a program reads from its standard input.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Input {
    /// Nothing: end of file at once.
    #[default]
    Empty,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// The contents of a file from its current position, then end of file.
    File(File),
    /// What arrives from a pipe or socket until its end.
    Pipe(OwnedFd),
    /// What the caller writes to [`Execution::stdin`](crate::Execution::stdin).
    Streamed,
}

/// Where a program's output goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Into the report, up to the `output` limit.
    #[default]
    Captured,
    /// To the caller as it comes, through [`Execution::stdout`](crate::Execution::stdout) and
    /// [`Execution::stderr`](crate::Execution::stderr), up to the `output` limit.
    Streamed,
    /// Nowhere. It is read and counted, so that the program does not block.
    Discarded,
}

impl Stdio {
    /// No input, both outputs into the report.
    pub fn captured() -> Self {
        Self { stdin: Input::Empty, stdout: Output::Captured, stderr: Output::Captured }
    }

    /// All three streams live, through the [`Execution`](crate::Execution).
    pub fn streamed() -> Self {
        Self { stdin: Input::Streamed, stdout: Output::Streamed, stderr: Output::Streamed }
    }

    /// No input, no output kept.
    pub fn discarded() -> Self {
        Self { stdin: Input::Empty, stdout: Output::Discarded, stderr: Output::Discarded }
    }

    /// The same outputs, with this input.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Input>) -> Self {
        self.stdin = input.into();
        self
    }
}

impl Default for Stdio {
    fn default() -> Self {
        Self::captured()
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Input {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl From<File> for Input {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl From<OwnedFd> for Input {
    fn from(fd: OwnedFd) -> Self {
        Self::Pipe(fd)
    }
}
