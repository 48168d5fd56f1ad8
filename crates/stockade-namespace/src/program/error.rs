//! [`ProgramError`]: why a program cannot be started.

use std::io;
use std::path::PathBuf;

use stockade_core::{Error, ErrorKind};

use crate::rootfs::kind_of;

/// Why a program cannot be started. Paths are guest paths.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("the program's name is empty")]
    Unnamed,
    #[error("the program is a WebAssembly module, which the namespace backend does not run")]
    Module,
    #[error("the program is not a native executable")]
    NotNative,
    #[error("`{key}` contains NUL")]
    Nul { key: String },
    #[error("`{key}` is {size} bytes long; at most {max} can be passed on")]
    TooLong { key: String, size: usize, max: usize },
    #[error("`program.args` and `process.env` hold {size} bytes; at most {max} can be passed on")]
    TooMuch { size: usize, max: usize },
    #[error("`process.cwd`, {cwd:?}, does not exist in the sandbox")]
    WorkDirMissing { cwd: String },
    #[error("`process.cwd`, {cwd:?}, is not a directory")]
    WorkDirKind { cwd: String },
    #[error("program {name:?} was not found{}", searched(.looked_in))]
    NotFound { name: PathBuf, looked_in: Option<String>, on_host: bool },
    #[error("{path:?} is a directory, not a program")]
    Directory { path: PathBuf },
    #[error("{path:?} is a device, FIFO or socket, not a program")]
    Special { path: PathBuf },
    #[error("{path:?} is not executable")]
    NotExecutable { path: PathBuf },
    #[error("{path:?} cannot be read")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path:?} is neither an ELF executable nor a script that names its interpreter")]
    Format { path: PathBuf },
    #[error("{path:?} is a damaged ELF file or not an executable one")]
    BrokenElf { path: PathBuf },
    #[error("{path:?} is built for {found}; this machine runs {native}")]
    ForeignElf { path: PathBuf, found: String, native: &'static str },
    #[error("{path:?} is a WebAssembly module, which the namespace backend does not run")]
    Wasm { path: PathBuf },
    #[error("{program:?} needs the loader {loader:?}, which is not in the sandbox")]
    LoaderMissing { program: PathBuf, loader: PathBuf },
    #[error("the script {script:?} needs {interpreter:?}, which is not in the sandbox")]
    InterpreterMissing { script: PathBuf, interpreter: PathBuf },
    #[error("the interpreter of the script {script:?} cannot be used")]
    Interpreter { script: PathBuf, source: Box<Self> },
    #[error("{path:?} is a script of a script, too many times over")]
    InterpreterChain { path: PathBuf },
}

fn searched(looked_in: &Option<String>) -> String {
    looked_in.as_ref().map_or_else(String::new, |path| format!(" in `PATH={path}`"))
}

impl ProgramError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. }
            | Self::WorkDirMissing { .. }
            | Self::LoaderMissing { .. }
            | Self::InterpreterMissing { .. } => ErrorKind::NotFound,
            Self::NotExecutable { .. } => ErrorKind::PermissionDenied,
            Self::Unreadable { source, .. } => kind_of(source),
            Self::Wasm { .. } | Self::Module | Self::NotNative => ErrorKind::Unsupported,
            Self::Interpreter { source, .. } => source.kind(),
            _ => ErrorKind::InvalidPolicy,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Unnamed => "name a program, or a path inside the sandbox".to_owned(),
            Self::NotNative => "name an executable, or a path inside the sandbox".to_owned(),
            Self::Module | Self::Wasm { .. } => {
                "run it with the wasm backend: `WasmSandbox`, or `--backend wasm`".to_owned()
            }
            Self::Nul { .. } => "the kernel ends strings at NUL; remove it".to_owned(),
            Self::TooLong { .. } | Self::TooMuch { .. } => {
                "pass large data by standard input or as a file".to_owned()
            }
            Self::WorkDirMissing { .. } | Self::WorkDirKind { .. } => {
                "name a directory inside the sandbox: `/tmp` always exists".to_owned()
            }
            Self::NotFound { name, on_host: true, .. } => format!(
                "the host has {name:?} but the sandbox does not; bind it or its directory \
                 (`--ro {}`)",
                name.display()
            ),
            Self::NotFound { looked_in: Some(_), .. } => {
                "the sandbox sees only the policy's files and `process.env.PATH`".to_owned()
            }
            Self::NotFound { .. } => {
                "the path is one inside the sandbox; relative ones start at `process.cwd`"
                    .to_owned()
            }
            Self::Directory { .. } | Self::Special { .. } => {
                "name the executable file itself".to_owned()
            }
            Self::NotExecutable { .. } => {
                "make it executable (chmod +x), or name its interpreter as the program".to_owned()
            }
            Self::Unreadable { .. } => {
                "the user who runs Stockade needs to be able to read it".to_owned()
            }
            Self::Format { .. } => {
                "begin scripts with a line such as `#!/bin/sh`, or name the interpreter as the \
                 program"
                    .to_owned()
            }
            Self::BrokenElf { .. } => "build or copy it again".to_owned(),
            Self::ForeignElf { native, .. } => format!("build it for {native}"),
            Self::LoaderMissing { .. } => {
                "link it statically, use `base = \"system\"`, or bind the loader and libraries"
                    .to_owned()
            }
            Self::InterpreterMissing { interpreter, .. }
                if interpreter.to_string_lossy().ends_with('\r') =>
            {
                "the script has Windows line ends; convert them".to_owned()
            }
            Self::InterpreterMissing { .. } => {
                "bind the interpreter, or correct the script's first line".to_owned()
            }
            Self::Interpreter { source, .. } => source.hint(),
            Self::InterpreterChain { .. } => "name a binary as the interpreter".to_owned(),
        }
    }
}

impl From<ProgramError> for Error {
    fn from(error: ProgramError) -> Self {
        let (kind, hint) = (error.kind(), error.hint());
        Self::new(kind, error).with_hint(hint)
    }
}
