//! Modules: read, checked before they are compiled, compiled, linked, and kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use stockade_core::{Error, ErrorKind, ProgramSource, Result};
use wasmtime::component as model;
use wasmtime::{Engine, InstancePre, Linker, Module};

use crate::command::{self, Command};
use crate::compile::{Compiled, Compiler, Origin};
use crate::component;
use crate::engine::Engines;
use crate::imports::Imports;
use crate::kept::Kept;
use crate::wasi::{self, Guest};

/// Largest module that is read, in bytes.
const MAX_MODULE: u64 = 128 << 20;

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
    #[error("it is a precompiled artifact, which would be run unchecked")]
    Precompiled,
    #[error("the module is not valid: {0}")]
    Invalid(String),
    #[error("the module has {what} {count}, where at most {max} are compiled")]
    Excessive { what: &'static str, count: u64, max: u64 },
    #[error("the module uses the proposal {proposal}: {message}")]
    Proposal { proposal: String, message: String },
    #[error("the threads that compile the module cannot be started")]
    Threads(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("compiling the module takes more than {limit:?} of processor time")]
    CompileTime { limit: Duration },
    #[error("the compiler failed on the module")]
    Compiler,
    #[error("the module cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the module imports {import}, which this sandbox does not offer")]
    Import { import: String },
    #[error("what the module imports is of another kind than what it is given")]
    Unfit(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it is a component, which cannot be given host functions by this version")]
    ComponentImports,
    #[error("it is a component, and functions of modules alone can be called by this version")]
    ComponentLibrary,
    #[error("the module does not export a function `_start` without parameters and results")]
    NoStart,
    #[error(
        "the component exports no `wasi:cli/run@0.2` with a function `run`, it is of another world: \
        it exports {exports}"
    )]
    NoRun { exports: String },
    #[error("argument {index} of the program is not UTF-8, as those of a component must be")]
    ArgumentNotText { index: usize },
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
            ModuleError::ComponentImports | ModuleError::ComponentLibrary => {
                (ErrorKind::Unsupported, "build it as a core module")
            }
            ModuleError::Precompiled => {
                (ErrorKind::InvalidPolicy, "give the module it was compiled from")
            }
            ModuleError::Proposal { .. } => (ErrorKind::Unsupported, "build the module without it"),
            ModuleError::Threads(_) => {
                (ErrorKind::Setup, "is the number of threads or memory limited?")
            }
            ModuleError::CompileTime { .. } => {
                (ErrorKind::Setup, "give compiling more time, or compile it into a cache once")
            }
            ModuleError::Compiler => (ErrorKind::Internal, "please report the module"),
            ModuleError::Import { .. } => (
                ErrorKind::Unsupported,
                "commands of WASI preview 1 and 2 (wasm32-wasip1, wasm32-wasip2) import nothing else",
            ),
            ModuleError::Memory { .. } => {
                (ErrorKind::InvalidPolicy, "raise `limits.memory` to what the module declares")
            }
            ModuleError::Unfit(_) => {
                (ErrorKind::InvalidPolicy, "compare the host functions' types with the imports'")
            }
            ModuleError::NoRun { .. } => {
                (ErrorKind::Unsupported, "build it for the world `wasi:cli/command`")
            }
            ModuleError::ArgumentNotText { .. } => {
                (ErrorKind::InvalidPolicy, "pass such bytes on standard input")
            }
            ModuleError::NoStart => {
                (ErrorKind::InvalidPolicy, "build it as a command, not as a library")
            }
            _ => (ErrorKind::InvalidPolicy, "nothing was started"),
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// Hash of a module's bytes, and whether its runs are metered.
type Key = ([u8; 32], bool);

/// Compiled modules by the hash of their bytes, for both engines.
pub(crate) struct Modules {
    compiler: Compiler,
    kept: Mutex<Kept<Key, Compiled>>,
    /// What is being compiled now, so that no two threads compile the same.
    turns: Mutex<HashMap<Key, Arc<Mutex<()>>>>,
    /// What is linked with: for runs that are not metered, and for those that are.
    linkers: [Linkers; 2],
}

impl std::fmt::Debug for Modules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modules").finish_non_exhaustive()
    }
}

struct Linkers {
    module: Linker<Guest>,
    component: model::Linker<Guest>,
}

impl Linkers {
    fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut module = Linker::new(engine);
        wasi::link(&mut module)?;
        Ok(Self { module, component: component::linker(engine)? })
    }

    fn engine(&self) -> &Engine {
        self.module.engine()
    }

    /// What `module` is linked with, `imports` among it.
    fn with(&self, imports: &Imports, module: &Module) -> Result<Cow<'_, Linker<Guest>>> {
        let mut linker = Cow::Borrowed(&self.module);
        if !imports.is_empty() {
            imports.link(linker.to_mut(), module)?;
        }
        Ok(linker)
    }
}

impl Modules {
    pub(crate) fn new(engines: &Engines, compiler: Compiler) -> wasmtime::Result<Self> {
        let linkers = [Linkers::new(engines.get(false))?, Linkers::new(engines.get(true))?];
        Ok(Self { compiler, kept: Mutex::default(), turns: Mutex::default(), linkers })
    }

    /// The command in `source`, linked with WASI and `imports`, and where its code came from.
    pub(crate) fn command(
        &self,
        source: &ProgramSource,
        metered: bool,
        imports: &Imports,
    ) -> Result<(Command, Origin)> {
        let linkers = &self.linkers[usize::from(metered)];
        let (compiled, origin) = self.compiled(source, metered)?;
        let command = match compiled {
            Compiled::Module(module) => {
                Command::Module(command::link(&*linkers.with(imports, &module)?, &module)?)
            }
            Compiled::Component(_) if !imports.is_empty() => {
                return Err(ModuleError::ComponentImports.into());
            }
            Compiled::Component(compiled) => {
                Command::Component(component::link(&linkers.component, &compiled)?)
            }
        };
        Ok((command, origin))
    }

    /// The library in `source`, linked with WASI and `imports`, and where its code came from.
    pub(crate) fn library(
        &self,
        source: &ProgramSource,
        metered: bool,
        imports: &Imports,
    ) -> Result<(InstancePre<Guest>, Origin)> {
        let linkers = &self.linkers[usize::from(metered)];
        match self.compiled(source, metered)? {
            (Compiled::Module(module), origin) => {
                Ok((command::instance_pre(&*linkers.with(imports, &module)?, &module)?, origin))
            }
            (Compiled::Component(_), _) => Err(ModuleError::ComponentLibrary.into()),
        }
    }

    /// What `source` holds, compiled now if it was not seen before.
    fn compiled(
        &self,
        source: &ProgramSource,
        metered: bool,
    ) -> Result<(Compiled, Origin), ModuleError> {
        let bytes = read(source)?;
        let key = (Sha256::digest(&bytes).into(), metered);
        let kept = || lock(&self.kept).get(&key).map(|compiled| (compiled, Origin::Memory));
        if let Some(found) = kept() {
            return Ok(found);
        }
        let turn = Arc::clone(lock(&self.turns).entry(key).or_default());
        let _turn = lock(&turn);
        if let Some(found) = kept() {
            return Ok(found);
        }
        let made = self.make(&bytes, &key);
        lock(&self.turns).remove(&key);
        made
    }

    fn make(&self, bytes: &[u8], key: &Key) -> Result<(Compiled, Origin), ModuleError> {
        let engine = self.linkers[usize::from(key.1)].engine();
        let (compiled, origin) = self.compiler.compile(engine, bytes, &key.0)?;
        lock(&self.kept).insert(*key, compiled.clone(), compiled.size());
        Ok((compiled, origin))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
