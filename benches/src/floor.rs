//! wasmtime with wasmtime-wasi, as an embedder would use them: what a run costs elsewhere.

use wasmtime::{Extern, InstancePre, Linker, Module, ModuleExport, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

use crate::Failure;
use crate::bare::{self, Epochs};

/// A command that was linked with WASI preview 1.
#[derive(Clone)]
pub struct Command {
    instance: InstancePre<WasiP1Ctx>,
    start: ModuleExport,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").finish_non_exhaustive()
    }
}

impl Command {
    /// Compiles a module.
    ///
    /// # Errors
    /// When it does not compile or exports no `_start`.
    pub fn new(module: &[u8]) -> Result<Self, Failure> {
        let engine = bare::engine(Epochs::On)?;
        let module = Module::from_binary(&engine, module)?;
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |context| context)?;
        let start = module.get_export_index("_start").ok_or("no `_start`")?;
        Ok(Self { instance: linker.instantiate_pre(&module)?, start })
    }

    /// Runs it in a store of its own, with its output in memory; gives what it printed.
    ///
    /// # Errors
    /// When it traps or exits.
    pub fn run(&self) -> Result<Vec<u8>, Failure> {
        let output = MemoryOutputPipe::new(1 << 20);
        let mut context = WasiCtxBuilder::new();
        // Without it, each call would enter a runtime of tokio's.
        context.allow_blocking_current_thread(true).stdout(output.clone());
        let mut store = Store::new(self.instance.module().engine(), context.build_p1());
        store.set_epoch_deadline(1);
        let instance = self.instance.instantiate(&mut store)?;
        let start = instance.get_module_export(&mut store, &self.start);
        let start = start.and_then(Extern::into_func).ok_or("no `_start`")?;
        start.typed::<(), ()>(&store)?.call(&mut store, ())?;
        drop(store);
        Ok(output.contents().into())
    }
}
