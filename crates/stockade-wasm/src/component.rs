//! Components: commands of WASI preview 2 (`wasi:cli/command`).
//!
//! As for preview 1, the functions are our own, so that each knows the run's tether and quotas.
//! They are written against the interfaces of WASI 0.2.12; wasmtime offers them to a component of
//! any 0.2 by the rules of semantic versions.

mod cli;
mod clocks;
mod filesystem;
mod poll;
mod random;
mod sockets;
mod streams;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Linker, LinkerInstance,
    Lower, Resource, ResourceType, types,
};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, StoreContextMut, Trap};

use crate::module::ModuleError;
use crate::tether::Stop;
use crate::wasi::Guest;

/// What a command exports, and its function.
const RUN: (&str, &str) = ("wasi:cli/run@0.2.12", "run");
/// Most bytes that one call of the guest's may have copied to the host.
const MOST_COPIED: usize = 8 << 20;
/// Most handles a guest may hold: each is memory of the host's that `limits.memory` does not count.
const MOST_HANDLES: usize = 10_000;
const PAGE: u64 = 65_536;

/// A component that exports `wasi:cli/run`.
#[derive(Clone)]
pub(crate) struct ComponentCommand {
    instance: InstancePre<Guest>,
    run: ComponentExportIndex,
    declared: u64,
}

/// A guest that broke the rules of an interface, for which wasmtime has no trap of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

impl Misuse {
    fn error(what: &str) -> wasmtime::Error {
        Self(what.to_owned()).into()
    }
}

impl ComponentCommand {
    pub(crate) fn engine(&self) -> &Engine {
        self.instance.component().engine()
    }

    /// Bytes of the largest memory it has from the start.
    pub(crate) fn declared(&self) -> u64 {
        self.declared
    }

    /// Makes an instance, calls `built`, and runs the guest to its end.
    pub(crate) fn run(
        &self,
        store: &mut Store<Guest>,
        built: impl FnOnce(),
    ) -> wasmtime::Result<()> {
        store.set_hostcall_fuel(MOST_COPIED);
        store.set_max_component_handles(MOST_HANDLES);
        store.data_mut().table.set_max_capacity(MOST_HANDLES);
        let instance = self.instance.instantiate(&mut *store).map_err(|error| {
            // The host has no room, or the start function of a module in it failed.
            if error.is::<PoolConcurrencyLimitError>() { error } else { blame(error) }
        })?;
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, self.run)?;
        built();
        match run.call(store, ()).map_err(blame)? {
            (Ok(()),) => Ok(()),
            (Err(()),) => Err(Stop::Exit(1).into()),
        }
    }
}

/// Lays an error that is neither a stop nor a trap at the guest's door.
fn blame(error: wasmtime::Error) -> wasmtime::Error {
    if error.is::<Stop>() || error.is::<Trap>() || error.is::<Misuse>() {
        return error;
    }
    let what = error.root_cause().to_string();
    error.context(Misuse(what))
}

/// What components are linked with.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    poll::link(&mut linker)?;
    streams::link(&mut linker)?;
    clocks::link(&mut linker)?;
    random::link(&mut linker)?;
    cli::link(&mut linker)?;
    filesystem::link(&mut linker)?;
    sockets::link(&mut linker)?;
    Ok(linker)
}

/// Links a compiled component.
pub(crate) fn link(
    linker: &Linker<Guest>,
    component: &Component,
) -> Result<ComponentCommand, ModuleError> {
    let run = run_export(component).ok_or_else(|| {
        let kind = component.component_type();
        let mut names = kind.exports(component.engine()).map(|(name, _)| format!("`{name}`"));
        let first = names.by_ref().take(4).collect::<Vec<_>>().join(", ");
        ModuleError::NoRun { exports: if first.is_empty() { "nothing".into() } else { first } }
    })?;
    let instance =
        linker.instantiate_pre(component).map_err(|error| unlinked(component, &error))?;
    // Made now, so that the first run need not wait for it.
    component
        .initialize_copy_on_write_image()
        .map_err(|error| ModuleError::Compile(error.into()))?;
    let declared = component.resources_required();
    let declared = declared.and_then(|required| required.max_initial_memory_size).unwrap_or(0);
    Ok(ComponentCommand { instance, run, declared: declared.saturating_mul(PAGE) })
}

/// Where `run` is, if it is a function of the right type.
fn run_export(component: &Component) -> Option<ComponentExportIndex> {
    let (_, interface) = component.get_export(None, RUN.0)?;
    let (types::ComponentItem::ComponentFunc(kind), run) =
        component.get_export(Some(&interface), RUN.1)?
    else {
        return None;
    };
    let is_run = !kind.async_()
        && kind.params().len() == 0
        && kind.results().len() == 1
        && kind.results().all(|result| match result {
            types::Type::Result(result) => result.ok().is_none() && result.err().is_none(),
            _ => false,
        });
    is_run.then_some(run)
}

/// Why a component could not be linked: the import that is missing or of another type.
fn unlinked(component: &Component, error: &wasmtime::Error) -> ModuleError {
    let said = error.to_string();
    let kind = component.component_type();
    let missing = kind.imports(component.engine()).find(|(name, _)| said.contains(&**name));
    match missing {
        Some((name, _)) => {
            ModuleError::Import { import: format!("`{name}` ({})", error.root_cause()) }
        }
        None => ModuleError::Import { import: said },
    }
}

/// Adds a function that gives something. Like all of them, it looks first whether the run was
/// cancelled.
fn function<P, R>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    body: impl Fn(&mut Guest, P) -> wasmtime::Result<R> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: Lower + Send + 'static,
{
    instance.func_wrap(name, move |mut store: StoreContextMut<'_, Guest>, parameters: P| {
        let guest = store.data_mut();
        guest.tether.check_cancelled()?;
        Ok((body(guest, parameters)?,))
    })
}

/// Adds a function that gives nothing.
fn procedure<P>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
    body: impl Fn(&mut Guest, P) -> wasmtime::Result<()> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + 'static,
{
    instance.func_wrap(name, move |mut store: StoreContextMut<'_, Guest>, parameters: P| {
        let guest = store.data_mut();
        guest.tether.check_cancelled()?;
        body(guest, parameters)
    })
}

/// Adds a type of which guests have handles.
fn resource<T: 'static>(
    instance: &mut LinkerInstance<'_, Guest>,
    name: &str,
) -> wasmtime::Result<()> {
    instance.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}
