//! [`Program`]: what runs.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

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
    /// A WebAssembly module in a file of the host.
    ModuleFile(PathBuf),
    /// A WebAssembly module, by its bytes.
    Module(Arc<[u8]>),
}

impl Program {
    /// A native executable: a path inside the sandbox, or a name looked up in its `PATH`.
    pub fn executable(name: impl AsRef<OsStr>) -> Self {
        Self { source: ProgramSource::Executable(name.as_ref().to_owned()), args: Vec::new() }
    }

    /// A WebAssembly module in a file of the host, which the sandbox reads and checks.
    pub fn module_file(path: impl Into<PathBuf>) -> Self {
        Self { source: ProgramSource::ModuleFile(path.into()), args: Vec::new() }
    }

    /// A WebAssembly module, by its bytes.
    pub fn module(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { source: ProgramSource::Module(bytes.into()), args: Vec::new() }
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
