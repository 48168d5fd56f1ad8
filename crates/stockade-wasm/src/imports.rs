//! [`Imports`]: functions of the embedder's that a module may call.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stockade_core::{Error, ErrorKind, Result};
use wasmtime::{Caller, ExternType, FuncType, Linker, Module, Val};

use crate::handlers::InGuest;
use crate::host_call::HostCall;
use crate::scalars::{Scalars, Sealed};
use crate::untyped::{Signature, UntypedError, Value, ValueType};
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
    /// `None` for a function that takes the types with which a module imports it.
    types: Option<(Vec<wasmtime::ValType>, Vec<wasmtime::ValType>)>,
    body: Arc<Body>,
}

/// Gets the types of the results with which the module imports it, where these are numbers.
type Body = dyn Fn(Caller<'_, Guest>, &[ValueType], &[Val], &mut [Val]) -> Result<(), HostError>
    + Send
    + Sync;

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
#[error("it was called with, or returned, other types than it has")]
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
        let body = move |caller: Caller<'_, Guest>,
                         _wanted: &[ValueType],
                         parameters: &[Val],
                         results: &mut [Val]| {
            let parameters = P::from_values(parameters).ok_or(WrongTypes)?;
            function(&mut HostCall::new(caller), parameters)?.into_values(results);
            Ok(())
        };
        self.functions.push(HostFunction {
            module: module.into(),
            name: name.into(),
            types: Some((<P as Sealed>::types(), <R as Sealed>::types())),
            body: Arc::new(body),
        });
        self
    }

    /// Adds `function` as `name` of the module `module`, with the types with which a module imports
    /// it. It gets the call, the types it has to return, and the parameters; returning values of
    /// other types is a failure.
    #[must_use]
    pub fn untyped(
        mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut HostCall<'_>, &[ValueType], &[Value]) -> Result<Vec<Value>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.add_untyped(module, name, None, function);
        self
    }

    /// Adds `function` as `name` of the module `module`, with types that are known when this is called
    /// and not before. A module that imports it with others is refused when it is prepared.
    #[must_use]
    pub fn with_types(
        mut self,
        module: &str,
        name: &str,
        parameters: &[ValueType],
        results: &[ValueType],
        function: impl Fn(&mut HostCall<'_>, &[Value]) -> Result<Vec<Value>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let types = |kinds: &[ValueType]| kinds.iter().map(|kind| kind.to_engine()).collect();
        let types = Some((types(parameters), types(results)));
        self.add_untyped(module, name, types, move |call, _, values| function(call, values));
        self
    }

    fn add_untyped(
        &mut self,
        module: &str,
        name: &str,
        types: Option<(Vec<wasmtime::ValType>, Vec<wasmtime::ValType>)>,
        function: impl Fn(&mut HostCall<'_>, &[ValueType], &[Value]) -> Result<Vec<Value>, HostError>
        + Send
        + Sync
        + 'static,
    ) {
        let body = move |caller: Caller<'_, Guest>,
                         wanted: &[ValueType],
                         parameters: &[Val],
                         results: &mut [Val]| {
            let given = parameters.iter().map(Value::of).collect::<Option<Vec<_>>>();
            let values = function(&mut HostCall::new(caller), wanted, &given.ok_or(WrongTypes)?)?;
            if !values.iter().map(|value| value.kind()).eq(wanted.iter().copied()) {
                return Err(WrongTypes.into());
            }
            results.iter_mut().zip(values).for_each(|(place, value)| *place = value.into());
            Ok(())
        };
        let (module, name, body) = (module.into(), name.into(), Arc::new(body));
        self.functions.push(HostFunction { module, name, types, body });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Adds all of them to what `module` is linked with.
    pub(crate) fn link(&self, linker: &mut Linker<Guest>, module: &Module) -> Result<()> {
        for function in &self.functions {
            function.link(linker, module)?;
        }
        Ok(())
    }
}

impl HostFunction {
    fn link(&self, linker: &mut Linker<Guest>, importer: &Module) -> Result<()> {
        let (module, name) = (Arc::clone(&self.module), Arc::clone(&self.name));
        if self.module.starts_with("wasi") {
            return Err(Error::new(ErrorKind::InvalidPolicy, ImportError::Wasi { module, name })
                .with_hint("give its module another name"));
        }
        let kind = match &self.types {
            Some((parameters, results)) => {
                FuncType::new(linker.engine(), parameters.clone(), results.clone())
            }
            None => match self.wanted(importer)? {
                Some(kind) => kind,
                None => return Ok(()),
            },
        };
        let function = self.clone();
        let wanted: Vec<_> = kind.results().filter_map(|kind| ValueType::of(&kind)).collect();
        linker
            .func_new(&self.module, &self.name, kind, move |caller, parameters, results| {
                function.call(caller, &wanted, parameters, results)
            })
            .map(drop)
            .map_err(|_| Error::new(ErrorKind::InvalidPolicy, ImportError::Twice { module, name }))
    }

    /// The type with which the module imports it, if it does.
    fn wanted(&self, importer: &Module) -> Result<Option<FuncType>> {
        let mut imports = importer.imports();
        let Some(ExternType::Func(kind)) = imports
            .find(|import| import.module() == &*self.module && import.name() == &*self.name)
            .map(|import| import.ty())
        else {
            return Ok(None);
        };
        if Signature::of(&self.name, &kind).is_none() {
            let name = format!("{}.{}", self.module, self.name);
            return Err(Error::new(ErrorKind::InvalidPolicy, UntypedError::NoNumbers { name })
                .with_hint("host functions take and return numbers"));
        }
        Ok(Some(kind))
    }

    fn call(
        &self,
        mut caller: Caller<'_, Guest>,
        wanted: &[ValueType],
        parameters: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let tether = Arc::clone(&caller.data_mut().tether);
        tether.check_cancelled()?;
        let (module, name) = (Arc::clone(&self.module), Arc::clone(&self.name));
        let _in_host = InGuest::leave();
        // The closure's captures are shared by runs already; whoever wrote it answers for them.
        let ended =
            catch_unwind(AssertUnwindSafe(|| (self.body)(caller, wanted, parameters, results)));
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
