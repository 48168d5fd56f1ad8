//! wasmtime with the knobs of Stockade's engine, and nothing around it: what a run costs at least.

use wasmtime::{
    Caller, Config, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker, Module,
    ModuleExport, PoolingAllocationConfig, Store,
};

use crate::Failure;

/// Whether compiled code looks for interruptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epochs {
    /// At every loop and function, as Stockade's.
    On,
    /// Never: nothing can stop it.
    Off,
}

/// An engine with a pool; without one where there is no address space for it, as under valgrind.
///
/// # Errors
/// When this machine cannot run what wasmtime compiles.
pub fn engine(epochs: Epochs) -> Result<Engine, Failure> {
    let mut config = Config::new();
    config.epoch_interruption(epochs == Epochs::On).memory_may_move(false);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(1000).total_tables(1000).total_core_instances(1000);
    pool.max_memory_size(4 << 30);
    pool.linear_memory_keep_resident(128 << 10).table_keep_resident(64 << 10);
    let mut pooled = config.clone();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&pooled).or_else(|_| Engine::new(&config))?)
}

/// A command that was linked with `fd_write` and otherwise with functions that trap.
#[derive(Clone)]
pub struct Command {
    instance: InstancePre<Vec<u8>>,
    start: ModuleExport,
    epochs: Epochs,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("epochs", &self.epochs).finish_non_exhaustive()
    }
}

impl Command {
    /// Compiles a module.
    ///
    /// # Errors
    /// When it does not compile or exports no `_start`.
    pub fn new(epochs: Epochs, module: &[u8]) -> Result<Self, Failure> {
        let engine = engine(epochs)?;
        let module = Module::from_binary(&engine, module)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap("wasi_snapshot_preview1", "fd_write", write)?;
        linker.define_unknown_imports_as_traps(&module)?;
        let start = module.get_export_index("_start").ok_or("no `_start`")?;
        Ok(Self { instance: linker.instantiate_pre(&module)?, start, epochs })
    }

    /// Runs it in a store of its own; gives what it printed.
    ///
    /// # Errors
    /// When it traps.
    pub fn run(&self) -> Result<Vec<u8>, Failure> {
        let mut store = Store::new(self.instance.module().engine(), Vec::new());
        if self.epochs == Epochs::On {
            store.set_epoch_deadline(1);
        }
        let instance = self.instance.instantiate(&mut store)?;
        let start = instance.get_module_export(&mut store, &self.start);
        let start = start.and_then(Extern::into_func).ok_or("no `_start`")?;
        start.typed::<(), ()>(&store)?.call(&mut store, ())?;
        Ok(store.into_data())
    }
}

fn write(mut caller: Caller<'_, Vec<u8>>, _fd: u32, parts: u32, _count: u32, result: u32) -> u32 {
    const FAULT: u32 = 21;
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return FAULT };
    let (memory, printed) = memory.data_and_store_mut(&mut caller);
    let number = |at: usize| {
        memory.get(at..at + 4)?.try_into().ok().map(|bytes| u32::from_le_bytes(bytes) as usize)
    };
    let (parts, result) = (parts as usize, result as usize);
    let (Some(at), Some(len)) = (number(parts), number(parts + 4)) else { return FAULT };
    let Some(text) = memory.get(at..at + len) else { return FAULT };
    printed.extend_from_slice(text);
    match memory.get_mut(result..result + 4) {
        Some(place) => place.copy_from_slice(&(len as u32).to_le_bytes()),
        None => return FAULT,
    }
    0
}
