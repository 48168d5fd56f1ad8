//! [`Command`]: a module or component that was compiled and linked, and can be run.

use std::ffi::OsString;

use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, Store, Trap, UnknownImportError};

use crate::component::ComponentCommand;
use crate::module::ModuleError;
use crate::wasi::Guest;

/// Where a command of preview 1 begins.
const START: &str = "_start";
const PAGE: u64 = 65_536;

/// A module or component: a run of it makes an instance and calls its entry point.
#[derive(Clone)]
pub(crate) enum Command {
    Module(ModuleCommand),
    Component(ComponentCommand),
}

/// A core module with a `_start`.
#[derive(Clone)]
pub(crate) struct ModuleCommand {
    instance: InstancePre<Guest>,
    start: wasmtime::ModuleExport,
    declared: u64,
}

impl Command {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Module(command) => command.instance.module().engine(),
            Self::Component(command) => command.engine(),
        }
    }

    /// Bytes of memory it has from the start.
    fn declared(&self) -> u64 {
        match self {
            Self::Module(command) => command.declared,
            Self::Component(command) => command.declared(),
        }
    }

    /// Whether it fits into the memory limit.
    pub(crate) fn check_memory(&self, limit: Option<u64>) -> Result<(), ModuleError> {
        fits(self.declared(), limit)
    }

    /// Whether it can be given these arguments: a component's are text.
    pub(crate) fn check_arguments(&self, arguments: &[OsString]) -> Result<(), ModuleError> {
        let not_text = arguments.iter().position(|argument| argument.to_str().is_none());
        match (self, not_text) {
            (Self::Component(_), Some(index)) => Err(ModuleError::ArgumentNotText { index }),
            _ => Ok(()),
        }
    }

    /// Makes an instance, calls `built`, and runs the guest to its end.
    pub(crate) fn run(
        &self,
        store: &mut Store<Guest>,
        built: impl FnOnce(),
    ) -> wasmtime::Result<()> {
        match self {
            Self::Module(command) => {
                let instance = command.instance.instantiate(&mut *store)?;
                let start = instance.get_module_export(&mut *store, &command.start);
                let start =
                    start.and_then(wasmtime::Extern::into_func).ok_or(Trap::BadSignature)?;
                let start = start.typed::<(), ()>(&store)?;
                built();
                start.call(store, ())
            }
            Self::Component(command) => command.run(store, built),
        }
    }
}

/// Links a compiled module.
pub(crate) fn link(linker: &Linker<Guest>, module: &Module) -> Result<ModuleCommand, ModuleError> {
    let is_start = |kind: ExternType| match kind {
        ExternType::Func(kind) => kind.params().len() == 0 && kind.results().len() == 0,
        _ => false,
    };
    let start = module.get_export_index(START).ok_or(ModuleError::NoStart)?;
    if !module.get_export(START).is_some_and(is_start) {
        return Err(ModuleError::NoStart);
    }
    let declared = declared(module);
    Ok(ModuleCommand { instance: instance_pre(linker, module)?, start, declared })
}

/// Links a compiled module, whatever it exports.
pub(crate) fn instance_pre(
    linker: &Linker<Guest>,
    module: &Module,
) -> Result<InstancePre<Guest>, ModuleError> {
    linker.instantiate_pre(module).map_err(|error| {
        match error.downcast_ref::<UnknownImportError>() {
            Some(unknown) => ModuleError::Import {
                import: format!("`{}` from `{}`", unknown.name(), unknown.module()),
            },
            None => ModuleError::Unfit(error.into()),
        }
    })
}

/// Whether what a module has from the start fits into the memory limit.
pub(crate) fn check_memory(module: &Module, limit: Option<u64>) -> Result<(), ModuleError> {
    fits(declared(module), limit)
}

fn fits(declared: u64, limit: Option<u64>) -> Result<(), ModuleError> {
    match limit {
        Some(limit) if declared > limit => Err(ModuleError::Memory { declared, limit }),
        _ => Ok(()),
    }
}

/// Bytes of memory that a module has from the start.
fn declared(module: &Module) -> u64 {
    let memory = module.resources_required().max_initial_memory_size;
    memory.unwrap_or(0).saturating_mul(PAGE)
}
