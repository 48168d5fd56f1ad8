//! [`Imports`]: functions of the embedder's that a module may call.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stockade_core::{Error, ErrorKind, Result};
use wasmtime::{Caller, FuncType, Linker, Val};

use crate::host_call::HostCall;
use crate::scalars::{Scalars, Sealed};
use crate::wasi::Guest;

/// An error of a host function: it ends the run.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// Functions of the host that a module may import, by module name and name.
///
/// A function runs on the guest's thread and is charged to the run's wall and CPU time. It should
/// look at its [`HostCall`] when it takes long: nothing can interrupt the embedder's own code. When
/// it overruns a limit, the run ends with that limit's verdict as soon as it returns. An error or a
/// panic in it ends the run with the verdict `trapped`, which names the function.
///
/// ```
/// use stockade_core::{Policy, Program};
/// use stockade_wasm::{Imports, WasmSandbox};
///
/// let module = wat::parse_str(
///     r#"(module
///         (import "shop" "price" (func $price (param i32) (result i64)))
///         (func (export "total") (param i32 i32) (result i64)
///             (i64.mul (call $price (local.get 0)) (i64.extend_i32_u (local.get 1)))))"#,
/// )?;
/// let imports = Imports::new()
///     .function("shop", "price", |_call, item: u32| Ok(if item == 7 { 250i64 } else { 100 }));
///
/// let sandbox = WasmSandbox::new()?;
/// let library = sandbox.library(&Policy::default(), &Program::module(module), &imports)?;
/// let total = library.function::<(u32, u32), i64>("total")?;
/// assert_eq!(library.instantiate()?.call(&total, (7, 3))?.returned(), Some(750));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Imports {
    functions: Vec<HostFunction>,
}

/// One function, as the engine calls it.
#[derive(Clone)]
struct HostFunction {
    module: Arc<str>,
    name: Arc<str>,
    parameters: Vec<wasmtime::ValType>,
    results: Vec<wasmtime::ValType>,
    body: Arc<Body>,
}

type Body = dyn Fn(Caller<'_, Guest>, &[Val], &mut [Val]) -> Result<(), HostError> + Send + Sync;

/// A host function that did not return.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostFailure {
    #[error("host function `{module}.{name}` failed: {error}")]
    Error { module: Arc<str>, name: Arc<str>, error: HostError },
    #[error("host function `{module}.{name}` panicked: {message}")]
    Panic { module: Arc<str>, name: Arc<str>, message: String },
}

/// A function that cannot be registered.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("the host function `{module}.{name}` is registered twice")]
    Twice { module: Arc<str>, name: Arc<str> },
    #[error("the host function `{module}.{name}` stands in WASI's place")]
    Wasi { module: Arc<str>, name: Arc<str> },
}

/// Values that are not of the types the engine promised.
#[derive(Debug, thiserror::Error)]
#[error("it was called with other types than it has")]
struct WrongTypes;

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.functions.iter().map(|f| format!("{}.{}", f.module, f.name));
        f.debug_list().entries(names).finish()
    }
}

impl Imports {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `function` as `name` of the module `module`. It gets the call and the parameters the
    /// guest passed, which are nothing to be trusted.
    ///
    /// Two functions of one name, or one in the place of WASI's, are refused when a program is
    /// prepared.
    #[must_use]
    pub fn function<P: Scalars, R: Scalars>(
        mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut HostCall<'_>, P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> Self {
        let body = move |caller: Caller<'_, Guest>, parameters: &[Val], results: &mut [Val]| {
            let parameters = P::from_values(parameters).ok_or(WrongTypes)?;
            function(&mut HostCall::new(caller), parameters)?.into_values(results);
            Ok(())
        };
        self.functions.push(HostFunction {
            module: module.into(),
            name: name.into(),
            parameters: <P as Sealed>::types(),
            results: <R as Sealed>::types(),
            body: Arc::new(body),
        });
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Adds all of them to what modules are linked with.
    pub(crate) fn link(&self, linker: &mut Linker<Guest>) -> Result<()> {
        for function in &self.functions {
            function.link(linker)?;
        }
        Ok(())
    }
}

impl HostFunction {
    fn link(&self, linker: &mut Linker<Guest>) -> Result<()> {
        let (module, name) = (Arc::clone(&self.module), Arc::clone(&self.name));
        if self.module.starts_with("wasi") {
            return Err(Error::new(ErrorKind::InvalidPolicy, ImportError::Wasi { module, name })
                .with_hint("give its module another name"));
        }
        let kind = FuncType::new(linker.engine(), self.parameters.clone(), self.results.clone());
        let function = self.clone();
        linker
            .func_new(&self.module, &self.name, kind, move |caller, parameters, results| {
                function.call(caller, parameters, results)
            })
            .map(drop)
            .map_err(|_| Error::new(ErrorKind::InvalidPolicy, ImportError::Twice { module, name }))
    }

    fn call(
        &self,
        mut caller: Caller<'_, Guest>,
        parameters: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let tether = Arc::clone(&caller.data_mut().tether);
        tether.check_cancelled()?;
        let (module, name) = (Arc::clone(&self.module), Arc::clone(&self.name));
        // The closure's captures are shared by runs already; whoever wrote it answers for them.
        let ended = catch_unwind(AssertUnwindSafe(|| (self.body)(caller, parameters, results)));
        // What it was stopped by comes before what it made of that.
        tether.check()?;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(HostFailure::Error { module, name, error }.into()),
            Err(panic) => {
                let message = message(&*panic);
                Err(HostFailure::Panic { module, name, message }.into())
            }
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
