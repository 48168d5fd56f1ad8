//! [`Program`]: what runs.

use std::ffi::{OsStr, OsString};

/// What runs inside a sandbox.
///
/// ```
/// use stockade_core::Program;
/// let program = Program::executable("python3").args(["-c", "print(1 + 1)"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Program {
    /// Where it comes from.
    pub source: ProgramSource,
    /// Its arguments, the program's own name not among them.
    pub args: Vec<OsString>,
}

/// Where a program comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgramSource {
    /// A native executable, as seen from inside the sandbox: an absolute path, a path relative to
    /// the working directory, or a bare name looked up in the policy's `PATH`.
    Executable(OsString),
}

impl Program {
    /// A native executable: a path inside the sandbox, or a name looked up in its `PATH`.
    pub fn executable(name: impl AsRef<OsStr>) -> Self {
        Self { source: ProgramSource::Executable(name.as_ref().to_owned()), args: Vec::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }
}
