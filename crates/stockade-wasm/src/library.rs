//! [`Library`]: a module whose functions are called, rather than run from `_start`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stockade_core::{Error, ErrorKind, Plan, Result, Stdio};
use wasmtime::{ExternType, FuncType, InstancePre, Module, ModuleExport, ValType};

use crate::instance::Instance;
use crate::scalars::{Scalars, Sealed};
use crate::setting::Setting;
use crate::untyped::{self, Signature, UntypedError, UntypedFunction};
use crate::wasi::Guest;

/// What a module of the bytes convention allocates with: `(len: i32) -> i32`.
const ALLOC: &str = "stockade_alloc";
/// What it frees results with, if it exports it: `(at: i32, len: i32)`.
const FREE: &str = "stockade_free";
/// What a library is initialized with before its first call, if it exports it (WASI's "reactor").
const INITIALIZE: &str = "_initialize";

/// A module bound to a policy, whose exported functions can be called.
///
/// Plugin hosts and databases keep one per plugin: [`instantiate`](Self::instantiate) makes an
/// [`Instance`], whose state lasts until it is dropped. Limits apply to each call anew, except
/// `memory`, which is what the instance holds, and the limits on files, which are the instance's.
///
/// # The bytes convention
///
/// A function of bytes is exported as `(at: i32, len: i32) -> i64`. The module also exports its
/// `memory` and `stockade_alloc: (len: i32) -> i32`. For a call, the host has `stockade_alloc` make
/// room for the input, writes it there, and calls the function, which returns the place of its
/// result: the address in the upper, the length in the lower 32 bits. The result is copied out and
/// given to `stockade_free: (at: i32, len: i32)`, if the module exports that. The input belongs to
/// the function.
#[derive(Clone)]
pub struct Library {
    setting: Arc<Setting>,
    linked: Arc<InstancePre<Guest>>,
    initialize: Option<ModuleExport>,
    id: LibraryId,
}

/// Which library an exported function is of: the engine would take another module's place for
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LibraryId(u64);

impl LibraryId {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An exported function with its parameters and results; see [`Library::function`].
pub struct Function<P, R> {
    pub(crate) export: ModuleExport,
    pub(crate) library: LibraryId,
    kind: PhantomData<fn(P) -> R>,
}

/// An exported function from bytes to bytes; see [`Library::bytes_function`].
#[derive(Clone)]
pub struct BytesFunction {
    pub(crate) library: LibraryId,
    pub(crate) memory: ModuleExport,
    pub(crate) alloc: ModuleExport,
    pub(crate) call: ModuleExport,
    pub(crate) free: Option<ModuleExport>,
}

impl<P, R> Clone for Function<P, R> {
    fn clone(&self) -> Self {
        Self { export: self.export, library: self.library, kind: PhantomData }
    }
}

/// A function that a module does not have.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the module exports no function `{name}`; it exports {others}")]
    Missing { name: String, others: String },
    #[error("the module's function `{name}` is {found}, and {wanted} was asked for")]
    Signature { name: String, found: String, wanted: String },
    #[error("the module exports no memory called `memory`")]
    NoMemory,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

impl<P, R> fmt::Debug for Function<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").finish_non_exhaustive()
    }
}

impl fmt::Debug for BytesFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BytesFunction").finish_non_exhaustive()
    }
}

impl Library {
    pub(crate) fn new(setting: Setting, linked: InstancePre<Guest>) -> Result<Self> {
        let initialize = match linked.module().get_export(INITIALIZE) {
            Some(_) => Some(export::<(), ()>(linked.module(), INITIALIZE)?),
            None => None,
        };
        Ok(Self {
            setting: Arc::new(setting),
            linked: Arc::new(linked),
            initialize,
            id: LibraryId::new(),
        })
    }

    /// How every control will be enforced.
    pub fn plan(&self) -> &Plan {
        &self.setting.plan
    }

    /// The exported function `name` that takes `P` and returns `R`.
    ///
    /// # Errors
    /// `NotFound` if the module exports no such function, `InvalidPolicy` if it has another type.
    pub fn function<P: Scalars, R: Scalars>(&self, name: &str) -> Result<Function<P, R>> {
        let export = export::<P, R>(self.linked.module(), name)?;
        Ok(Function { export, library: self.id, kind: PhantomData })
    }

    /// Every exported function of numbers, in the module's order.
    pub fn functions(&self) -> Vec<Signature> {
        untyped::signatures(self.linked.module())
    }

    /// The exported function `name`, with the types it has.
    ///
    /// # Errors
    /// `NotFound` if the module exports no such function, `InvalidPolicy` if a type of it is no
    /// number.
    pub fn untyped(&self, name: &str) -> Result<UntypedFunction> {
        let module = self.linked.module();
        let Some(ExternType::Func(kind)) = module.get_export(name) else {
            return Err(missing(module, name));
        };
        let no_numbers = || {
            let error = UntypedError::NoNumbers { name: name.to_owned() };
            Error::new(ErrorKind::InvalidPolicy, error).with_hint("pass bytes by the convention")
        };
        let signature = Signature::of(name, &kind).ok_or_else(no_numbers)?;
        let export = module.get_export_index(name).ok_or_else(|| missing(module, name))?;
        Ok(UntypedFunction { export, library: self.id, signature })
    }

    /// The exported function `name` from bytes to bytes, by the convention above.
    ///
    /// # Errors
    /// `NotFound` if the module lacks a part of the convention, `InvalidPolicy` if a part of it has
    /// another type.
    pub fn bytes_function(&self, name: &str) -> Result<BytesFunction> {
        let module = self.linked.module();
        let memory = match module.get_export("memory") {
            Some(ExternType::Memory(_)) => module.get_export_index("memory"),
            _ => None,
        };
        let memory = memory.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, ExportError::NoMemory)
                .with_hint("export the module's memory")
        })?;
        let call = export::<(u32, u32), u64>(module, name)?;
        let alloc = export::<u32, u32>(module, ALLOC)?;
        let free = match module.get_export(FREE) {
            Some(_) => Some(export::<(u32, u32), ()>(module, FREE)?),
            None => None,
        };
        Ok(BytesFunction { library: self.id, memory, alloc, call, free })
    }

    /// Makes an instance: its memory is initialized, its start function and `_initialize` are run,
    /// under the limits of one call. What it prints is captured.
    ///
    /// If the module fails or is stopped there, that is the outcome of every call of the instance.
    ///
    /// # Errors
    /// `Setup` when there is no room for one more instance, `HostLost` in a forked child.
    pub fn instantiate(&self) -> Result<Instance> {
        let (guest, _) = self.setting.guest(Stdio::captured());
        let setting = Arc::clone(&self.setting);
        Instance::new(self.id, &self.linked, self.initialize.as_ref(), setting, guest)
    }
}

/// The place of an exported function, if it is of that type.
fn export<P: Sealed, R: Sealed>(module: &Module, name: &str) -> Result<ModuleExport> {
    let Some(ExternType::Func(found)) = module.get_export(name) else {
        return Err(missing(module, name));
    };
    let wanted = FuncType::new(module.engine(), P::types(), R::types());
    if !FuncType::eq(&found, &wanted) {
        let error = ExportError::Signature {
            name: name.to_owned(),
            found: signature(&found),
            wanted: signature(&wanted),
        };
        return Err(Error::new(ErrorKind::InvalidPolicy, error)
            .with_hint("u32 is i32 and u64 is i64 in WebAssembly"));
    }
    module.get_export_index(name).ok_or_else(|| missing(module, name))
}

/// There is no such function.
fn missing(module: &Module, name: &str) -> Error {
    let exports = module.exports().filter(|export| export.ty().func().is_some());
    let names: Vec<_> = exports.map(|export| format!("`{}`", export.name())).take(20).collect();
    let others = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let error = ExportError::Missing { name: name.to_owned(), others };
    Error::new(ErrorKind::NotFound, error).with_hint("is the name exported?")
}

fn signature(kind: &FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        types.map(|kind| kind.to_string()).collect::<Vec<_>>().join(", ")
    };
    format!("({}) -> ({})", list(&mut kind.params()), list(&mut kind.results()))
}
