//! The two steps before a run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stockade::embed::Owned;
use stockade::{NamespaceSandbox, Program, Sandbox as _, Stdio, WasmSandbox};

use crate::execution::Wiring;
use crate::exported::handles::{Execution, Policy, Prepared, Report, Root, Sandbox};
use crate::failure::Failure;
use crate::forks;
use crate::signals::NoSignals;

/// A backend, or both and the choice between them.
pub(crate) struct Backends {
    which: Which,
    options: Options,
    namespace: OnceLock<NamespaceSandbox>,
    wasm: OnceLock<WasmSandbox>,
    /// Held while a backend is opened.
    opening: Mutex<()>,
}

/// Which backend runs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Auto,
    Namespace,
    Wasm,
}

/// What can be said of the backend for modules.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) compile_time: Option<Duration>,
}

/// What runs.
pub(crate) enum Code<'a> {
    /// A program by its name, or a module by its path.
    Name(OsString),
    /// A module by its bytes.
    Bytes(&'a [u8]),
}

impl Sandbox {
    pub(crate) fn open(which: Which, options: Options) -> Result<Self, Failure> {
        let backends = Backends {
            which,
            options,
            namespace: OnceLock::new(),
            wasm: OnceLock::new(),
            opening: Mutex::new(()),
        };
        match which {
            // Each when it is needed.
            Which::Auto => {}
            Which::Namespace => drop(backends.namespace()?),
            Which::Wasm => drop(backends.wasm()?),
        }
        Ok(Self { backends: Owned::new(backends) })
    }

    pub(crate) fn prepare(
        &self,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
    ) -> Result<Prepared, Failure> {
        let (backend, program) = self.backends.get()?.suit(code)?;
        let _no_fork = forks::none();
        let prepared = backend.prepare(&policy.asked, &program.args(args))?;
        Ok(Prepared { inner: Owned::new(prepared.into()), root: None })
    }

    /// The same for the program of an image.
    pub(crate) fn prepare_root(
        &self,
        policy: &Policy,
        root: &Root,
        words: &[OsString],
    ) -> Result<Prepared, Failure> {
        let program = root.inner.program(words)?;
        let backend = self.backends.get()?.programs()?;
        let _no_fork = forks::none();
        let prepared = backend.prepare(&policy.asked, &program)?;
        Ok(Prepared { inner: Owned::new(prepared.into()), root: Some(Arc::clone(&root.inner)) })
    }

    pub(crate) fn start(
        &self,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
        mut wiring: Wiring,
    ) -> Result<Execution, Failure> {
        Execution::new(self.begin(policy, code, args, wiring.stdio())?, wiring, None)
    }

    pub(crate) fn run(
        &self,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
        mut wiring: Wiring,
    ) -> Result<Report, Failure> {
        wiring.has_no_pipe()?;
        let run = self.begin(policy, code, args, wiring.stdio())?;
        wiring.wait(run)
    }

    fn begin(
        &self,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
        stdio: Stdio,
    ) -> Result<Box<dyn stockade::Execution>, Failure> {
        let (backend, program) = self.backends.get()?.suit(code)?;
        let _no_fork = forks::none();
        Ok(backend.start(&policy.asked, &program.args(args), stdio)?)
    }

    /// The backend for modules, for calls of their functions.
    pub(crate) fn modules(&self) -> Result<WasmSandbox, Failure> {
        let backends = self.backends.get()?;
        match backends.which {
            Which::Namespace => {
                let wrong = "is of STOCKADE_BACKEND_NAMESPACE, which has no modules";
                Err(Failure::argument("sandbox", wrong))
            }
            Which::Auto | Which::Wasm => backends.wasm(),
        }
    }
}

impl Backends {
    /// The backend that runs `code`, and `code` as it takes it.
    fn suit(&self, code: Code<'_>) -> Result<(Box<dyn stockade::Sandbox>, Program), Failure> {
        let is_module = match (&code, self.which) {
            (_, Which::Wasm) => true,
            (Code::Name(name), Which::Auto) => stockade::names_a_module(name),
            (Code::Bytes(_), Which::Auto) => true,
            (Code::Name(_), Which::Namespace) => false,
            (Code::Bytes(_), Which::Namespace) => {
                let wrong = "is of STOCKADE_BACKEND_NAMESPACE, which runs no modules";
                return Err(Failure::argument("sandbox", wrong));
            }
        };
        let program = match code {
            Code::Bytes(bytes) => Program::module(bytes),
            Code::Name(name) if is_module => Program::module_file(PathBuf::from(name)),
            Code::Name(name) => Program::executable(name),
        };
        Ok(if is_module {
            (Box::new(self.wasm()?), program)
        } else {
            (Box::new(self.namespace()?), program)
        })
    }

    /// The backend for native programs, whatever they are called.
    fn programs(&self) -> Result<NamespaceSandbox, Failure> {
        if self.which == Which::Wasm {
            let wrong = "is of STOCKADE_BACKEND_WASM, which runs modules alone";
            return Err(Failure::argument("sandbox", wrong));
        }
        self.namespace()
    }

    fn namespace(&self) -> Result<NamespaceSandbox, Failure> {
        self.opened(&self.namespace, || {
            let sandbox = NamespaceSandbox::new()?;
            Ok(match self.which {
                Which::Auto => sandbox.chosen_because(stockade::embed::NATIVE),
                _ => sandbox,
            })
        })
    }

    fn wasm(&self) -> Result<WasmSandbox, Failure> {
        self.opened(&self.wasm, || {
            let mut builder = WasmSandbox::builder().backtraces(true);
            if let Some(directory) = &self.options.cache_dir {
                builder = builder.cache_dir(directory);
            }
            if let Some(limit) = self.options.compile_time {
                builder = builder.compile_time(limit);
            }
            let sandbox = builder.build()?;
            Ok(match self.which {
                Which::Auto => sandbox.chosen_because(stockade::embed::MODULE),
                _ => sandbox,
            })
        })
    }

    fn opened<T: Clone>(
        &self,
        place: &OnceLock<T>,
        open: impl FnOnce() -> stockade::Result<T>,
    ) -> Result<T, Failure> {
        if let Some(sandbox) = place.get() {
            return Ok(sandbox.clone());
        }
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sandbox) = place.get() {
            return Ok(sandbox.clone());
        }
        let _no_fork = forks::none();
        let _for_its_threads = NoSignals::hold();
        let sandbox = open()?;
        Ok(place.get_or_init(|| sandbox).clone())
    }
}

impl Prepared {
    pub(crate) fn plan_json(&self) -> Result<String, Failure> {
        serde_json::to_string(self.inner.get()?.plan()).map_err(Failure::defect)
    }

    pub(crate) fn warm(&self, count: usize) -> Result<(), Failure> {
        let prepared = self.inner.get()?;
        let _no_fork = forks::none();
        Ok(prepared.warm(count)?)
    }

    pub(crate) fn start(&self, mut wiring: Wiring) -> Result<Execution, Failure> {
        Execution::new(self.begin(wiring.stdio())?, wiring, self.root.clone())
    }

    pub(crate) fn run(&self, mut wiring: Wiring) -> Result<Report, Failure> {
        wiring.has_no_pipe()?;
        let run = self.begin(wiring.stdio())?;
        wiring.wait(run)
    }

    fn begin(&self, stdio: Stdio) -> Result<Box<dyn stockade::Execution>, Failure> {
        let prepared = self.inner.get()?;
        let _no_fork = forks::none();
        Ok(prepared.start(stdio)?)
    }
}
