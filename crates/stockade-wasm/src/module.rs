//! Modules: read, checked before they are compiled, compiled, linked, and kept.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use stockade_core::{Error, ErrorKind, ProgramSource};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::{ExternType, InstancePre, Linker, Module, UnknownImportError};

use crate::engine::Engines;
use crate::wasi::{self, Guest};

/// Largest module that is read, in bytes.
const MAX_MODULE: u64 = 128 << 20;
/// Most functions a module may define.
const MAX_FUNCTIONS: u32 = 200_000;
/// Most locals one function may declare.
const MAX_LOCALS: u64 = 20_000;
/// Most compiled modules kept in memory.
const KEPT: usize = 32;
/// Where a command begins.
const START: &str = "_start";
const PAGE: u64 = 65_536;

/// Why a module cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    #[error("the module {path:?} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path:?} is a native program and no WebAssembly module")]
    Native { path: PathBuf },
    #[error("the module is larger than {max} bytes")]
    TooLarge { max: u64 },
    #[error("it is no WebAssembly module: it does not begin with `\\0asm`")]
    NotWasm,
    #[error("it is a WebAssembly component; this version runs core modules")]
    Component,
    #[error("it is a precompiled artifact, which would be run unchecked")]
    Precompiled,
    #[error("the module is not valid: {0}")]
    Invalid(String),
    #[error("the module has {what} {count}, where at most {max} are compiled")]
    Excessive { what: &'static str, count: u64, max: u64 },
    #[error("the module cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the module imports {import}, which this sandbox does not offer")]
    Import { import: String },
    #[error("the module does not export a function `_start` without parameters and results")]
    NoStart,
    #[error("the module declares {declared} bytes of memory, and `limits.memory` is {limit}")]
    Memory { declared: u64, limit: u64 },
}

impl From<ModuleError> for Error {
    fn from(error: ModuleError) -> Self {
        let (kind, hint) = match &error {
            ModuleError::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
                io::ErrorKind::PermissionDenied => {
                    (ErrorKind::PermissionDenied, "make the file readable")
                }
                _ => (ErrorKind::Io, "is it a regular file?"),
            },
            ModuleError::Native { .. } => {
                (ErrorKind::Unsupported, "run it with the namespace backend")
            }
            ModuleError::Component => {
                (ErrorKind::Unsupported, "build it as a WASI preview 1 command (wasm32-wasip1)")
            }
            ModuleError::Precompiled => {
                (ErrorKind::InvalidPolicy, "give the module it was compiled from")
            }
            ModuleError::Import { .. } => (
                ErrorKind::Unsupported,
                "commands of WASI preview 1 (wasm32-wasip1) import nothing else",
            ),
            ModuleError::Memory { .. } => {
                (ErrorKind::InvalidPolicy, "raise `limits.memory` to what the module declares")
            }
            ModuleError::NoStart => {
                (ErrorKind::InvalidPolicy, "build it as a command, not as a library")
            }
            _ => (ErrorKind::InvalidPolicy, "nothing was started"),
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// A module that was compiled and linked: a run of it makes an instance and calls `_start`.
#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) instance: InstancePre<Guest>,
    pub(crate) start: wasmtime::ModuleExport,
    /// Bytes of memory it has from the start.
    declared: u64,
}

impl Command {
    /// Whether it fits into the memory limit.
    pub(crate) fn check_memory(&self, limit: Option<u64>) -> Result<(), ModuleError> {
        match limit {
            Some(limit) if self.declared > limit => {
                Err(ModuleError::Memory { declared: self.declared, limit })
            }
            _ => Ok(()),
        }
    }
}

/// Compiled modules by the hash of their bytes, for both engines.
pub(crate) struct Modules {
    kept: Mutex<HashMap<([u8; 32], bool), Command>>,
    /// What modules are linked with: for runs that are not metered, and for those that are.
    linkers: [Linker<Guest>; 2],
}

impl std::fmt::Debug for Modules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modules").finish_non_exhaustive()
    }
}

impl Modules {
    pub(crate) fn new(engines: &Engines) -> wasmtime::Result<Self> {
        let linker = |metered| {
            let mut linker = Linker::new(engines.get(metered));
            wasi::link(&mut linker).map(|()| linker)
        };
        Ok(Self { kept: Mutex::default(), linkers: [linker(false)?, linker(true)?] })
    }

    /// The command in `source`, compiled now if it was not seen before.
    pub(crate) fn command(
        &self,
        source: &ProgramSource,
        metered: bool,
    ) -> Result<Command, ModuleError> {
        let bytes = read(source)?;
        let key = (Sha256::digest(&bytes).into(), metered);
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(command) = kept().get(&key) {
            return Ok(command.clone());
        }
        check(&bytes)?;
        let command = compile(&self.linkers[usize::from(metered)], &bytes)?;
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, command.clone());
        Ok(command)
    }
}

fn read(source: &ProgramSource) -> Result<Arc<[u8]>, ModuleError> {
    match source {
        ProgramSource::Module(bytes) if bytes.len() as u64 > MAX_MODULE => {
            Err(ModuleError::TooLarge { max: MAX_MODULE })
        }
        ProgramSource::Module(bytes) => Ok(Arc::clone(bytes)),
        ProgramSource::ModuleFile(path) => read_file(path),
        ProgramSource::Executable(name) => Err(ModuleError::Native { path: name.into() }),
        _ => Err(ModuleError::NotWasm),
    }
}

fn read_file(path: &Path) -> Result<Arc<[u8]>, ModuleError> {
    let failed = |source| ModuleError::Read { path: path.to_owned(), source };
    // A FIFO would wait for a writer, a device never end.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(no_wait).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    if metadata.len() > MAX_MODULE {
        return Err(ModuleError::TooLarge { max: MAX_MODULE });
    }
    let mut bytes = Vec::new();
    file.take(MAX_MODULE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_MODULE {
        return Err(ModuleError::TooLarge { max: MAX_MODULE });
    }
    Ok(bytes.into())
}

/// Looks for what would cost the compiler out of all proportion, before it sees the module.
fn check(bytes: &[u8]) -> Result<(), ModuleError> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(ModuleError::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ModuleError::NotWasm);
    }
    let invalid = |error: wasmparser::BinaryReaderError| ModuleError::Invalid(error.to_string());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(ModuleError::Component);
            }
            Payload::CodeSectionStart { count, .. } if count > MAX_FUNCTIONS => {
                return Err(ModuleError::Excessive {
                    what: "functions,",
                    count: count.into(),
                    max: MAX_FUNCTIONS.into(),
                });
            }
            Payload::CodeSectionEntry(body) => {
                let mut locals: u64 = 0;
                for group in body.get_locals_reader().map_err(invalid)? {
                    locals += u64::from(group.map_err(invalid)?.0);
                }
                if locals > MAX_LOCALS {
                    return Err(ModuleError::Excessive {
                        what: "a function with locals,",
                        count: locals,
                        max: MAX_LOCALS,
                    });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn compile(linker: &Linker<Guest>, bytes: &[u8]) -> Result<Command, ModuleError> {
    let failed = |error: wasmtime::Error| ModuleError::Compile(error.into());
    let module = Module::from_binary(linker.engine(), bytes).map_err(failed)?;
    let is_start = |kind: ExternType| match kind {
        ExternType::Func(kind) => kind.params().len() == 0 && kind.results().len() == 0,
        _ => false,
    };
    let start = module.get_export_index(START).ok_or(ModuleError::NoStart)?;
    if !module.get_export(START).is_some_and(is_start) {
        return Err(ModuleError::NoStart);
    }
    let declared = module.resources_required();
    let declared = declared.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE);
    let instance = linker.instantiate_pre(&module).map_err(|error| {
        match error.downcast_ref::<UnknownImportError>() {
            Some(unknown) => ModuleError::Import {
                import: format!("`{}` from `{}`", unknown.name(), unknown.module()),
            },
            None => failed(error),
        }
    })?;
    Ok(Command { instance, start, declared })
}
