//! [`Sandbox`] and [`Prepared`]: the two steps before a run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stockade::wasm::WasmSandboxBuilder;
use stockade::{Execution, NamespaceSandbox, Program, Stdio, WasmSandbox, oci};

use crate::errors::{defect, raised};
use crate::gate;
use crate::image::Root;
use crate::module::{HostFunction, Library, imports};
use crate::owned::Owned;
use crate::policy::Policy;
use crate::report::Report;
use crate::running::Running;
use crate::signals;
use crate::stdio::{self, Given, Wanted};

/// Whether a name is that of a file of the host that begins as modules do.
#[pyfunction]
pub(crate) fn names_a_module(name: OsString) -> bool {
    stockade::names_a_module(&name)
}

/// A backend.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Sandbox {
    backend: Owned<Backend>,
}

enum Backend {
    Namespace(NamespaceSandbox),
    Wasm(WasmSandbox),
}

impl Backend {
    fn get(&self) -> &dyn stockade::Sandbox {
        match self {
            Self::Namespace(sandbox) => sandbox,
            Self::Wasm(sandbox) => sandbox,
        }
    }
}

/// What runs: a name inside the sandbox, the path of a module, or a module's bytes.
#[derive(FromPyObject)]
pub(crate) enum Code<'py> {
    /// A module, by its bytes.
    #[pyo3(transparent)]
    Bytes(Bound<'py, PyBytes>),
    /// A name or a path.
    #[pyo3(transparent)]
    Name(OsString),
}

impl Code<'_> {
    fn program(self, backend: &Backend) -> Program {
        match (self, backend) {
            (Self::Bytes(bytes), _) => Program::module(bytes.as_bytes()),
            (Self::Name(name), Backend::Wasm(_)) => Program::module_file(PathBuf::from(name)),
            (Self::Name(name), Backend::Namespace(_)) => Program::executable(name),
        }
    }
}

/// Waits for a run without the interpreter's lock, and ends it if a signal's handler raises.
fn finish(py: Python<'_>, run: Box<dyn Execution>) -> PyResult<Report> {
    let report = gate::detach(py, || run.wait_while(signals::go_on()));
    signals::check()?;
    Ok(report.map_err(raised)?.into())
}

#[pymethods]
impl Sandbox {
    /// Opens the backend called `namespace` or `wasm`.
    #[new]
    #[pyo3(signature = (backend, cache_dir=None, compile_time=None))]
    fn open(
        py: Python<'_>,
        backend: &str,
        cache_dir: Option<PathBuf>,
        compile_time: Option<f64>,
    ) -> PyResult<Self> {
        let open = || match backend {
            "wasm" => modules(cache_dir, compile_time).map(Backend::Wasm),
            _ => NamespaceSandbox::new().map(Backend::Namespace),
        };
        Ok(Self { backend: Owned::new(gate::detach_whole(py, open).map_err(raised)?) })
    }

    /// The same sandbox, whose reports say why it was chosen.
    fn because(&self, reason: &str) -> PyResult<Self> {
        let backend = match self.backend.get()? {
            Backend::Namespace(sandbox) => {
                Backend::Namespace(sandbox.clone().chosen_because(reason))
            }
            Backend::Wasm(sandbox) => Backend::Wasm(sandbox.clone().chosen_because(reason)),
        };
        Ok(Self { backend: Owned::new(backend) })
    }

    /// What this host can enforce, by control.
    fn support(&self) -> PyResult<String> {
        let support = self.backend.get()?.get().support();
        serde_json::to_string(support).map_err(defect)
    }

    fn prepare(
        &self,
        py: Python<'_>,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
    ) -> PyResult<Prepared> {
        let backend = self.backend.get()?;
        let program = code.program(backend).args(args);
        let prepared = gate::detach_whole(py, || backend.get().prepare(&policy.inner, &program));
        Ok(Prepared { inner: Owned::new(prepared.map_err(raised)?.into()), root: None })
    }

    /// The same for the program of an image, whose files stay as long as what was prepared.
    fn prepare_root(
        &self,
        py: Python<'_>,
        policy: &Policy,
        root: &Root,
        words: Vec<OsString>,
    ) -> PyResult<Prepared> {
        let backend = self.backend.get()?;
        let program = root.inner.program(&words).map_err(raised)?;
        let prepared = gate::detach_whole(py, || backend.get().prepare(&policy.inner, &program));
        let inner = Owned::new(prepared.map_err(raised)?.into());
        Ok(Prepared { inner, root: Some(Arc::clone(&root.inner)) })
    }

    /// Runs a program once, with captured output.
    #[pyo3(signature = (policy, code, args, input=None))]
    fn run(
        &self,
        py: Python<'_>,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
        input: Option<Given>,
    ) -> PyResult<Report> {
        let backend = self.backend.get()?;
        let program = code.program(backend).args(args);
        let stdio = stdio::open(input, None)?.stdio();
        let run = gate::detach_whole(py, || backend.get().start(&policy.inner, &program, stdio));
        finish(py, run.map_err(raised)?)
    }

    /// Starts a program once, in the background: captured, or with these streams.
    #[pyo3(signature = (policy, code, args, input=None, *, streams=None))]
    fn start(
        &self,
        py: Python<'_>,
        policy: &Policy,
        code: Code<'_>,
        args: Vec<OsString>,
        input: Option<Given>,
        streams: Option<Wanted>,
    ) -> PyResult<Running> {
        let backend = self.backend.get()?;
        let program = code.program(backend).args(args);
        let start = |stdio| backend.get().start(&policy.inner, &program, stdio);
        begin(py, input, streams, None, start)
    }

    /// Binds a policy to a module whose functions are called.
    fn library(
        &self,
        py: Python<'_>,
        policy: &Policy,
        code: Code<'_>,
        functions: Vec<HostFunction>,
    ) -> PyResult<Library> {
        let backend = self.backend.get()?;
        let Backend::Wasm(sandbox) = backend else {
            return Err(defect("only modules have functions"));
        };
        let program = code.program(backend);
        let imports = imports(functions);
        let library = gate::detach_whole(py, || sandbox.library(&policy.inner, &program, &imports));
        Ok(Library::new(library.map_err(raised)?))
    }
}

fn modules(cache_dir: Option<PathBuf>, compile_time: Option<f64>) -> stockade::Result<WasmSandbox> {
    let mut builder: WasmSandboxBuilder = WasmSandbox::builder().backtraces(true);
    if let Some(directory) = cache_dir {
        builder = builder.cache_dir(directory);
    }
    if let Some(seconds) = compile_time {
        builder = builder.compile_time(std::time::Duration::from_secs_f64(seconds));
    }
    builder.build()
}

/// Starts a run in the background.
fn begin(
    py: Python<'_>,
    input: Option<Given>,
    streams: Option<Wanted>,
    root: Option<Arc<oci::Root>>,
    start: impl FnOnce(Stdio) -> stockade::Result<Box<dyn Execution>> + Send,
) -> PyResult<Running> {
    let mut streams = stdio::open(input, streams)?;
    let stdio = streams.stdio();
    let run = gate::detach_whole(py, || start(stdio)).map_err(raised)?;
    Ok(Running::watch(run, streams, root)?)
}

/// A plan bound to a program.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Prepared {
    inner: Owned<Arc<dyn stockade::Prepared>>,
    /// Whose files the program has as its own, if they are an image's.
    root: Option<Arc<oci::Root>>,
}

#[pymethods]
impl Prepared {
    /// How every control will be enforced.
    fn plan(&self) -> PyResult<String> {
        serde_json::to_string(self.inner.get()?.plan()).map_err(defect)
    }

    fn warm(&self, py: Python<'_>, count: usize) -> PyResult<()> {
        let prepared = self.inner.get()?;
        gate::detach_whole(py, || prepared.warm(count)).map_err(raised)
    }

    /// Runs it, with captured output.
    #[pyo3(signature = (input=None))]
    fn run(&self, py: Python<'_>, input: Option<Given>) -> PyResult<Report> {
        let prepared = self.inner.get()?;
        let stdio = stdio::open(input, None)?.stdio();
        let run = gate::detach_whole(py, || prepared.start(stdio));
        finish(py, run.map_err(raised)?)
    }

    /// Starts it in the background: captured, or with these streams.
    #[pyo3(signature = (input=None, *, streams=None))]
    fn start(
        &self,
        py: Python<'_>,
        input: Option<Given>,
        streams: Option<Wanted>,
    ) -> PyResult<Running> {
        let prepared = self.inner.get()?;
        begin(py, input, streams, self.root.clone(), |stdio| prepared.start(stdio))
    }
}
