//! wasmtime with nothing around it: what a run of a module costs at least.

use wasmtime::{
    Caller, Config, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker, Module,
    ModuleExport, PoolingAllocationConfig, Result, Store, error::format_err,
};

/// How many instances the pool has room for.
const POOL: u32 = 1000;

/// Whether compiled code looks for interruptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epochs {
    /// At every loop and function, as Stockade's.
    On,
    /// Never: nothing can stop it.
    Off,
}

/// Where instances are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into a pool made before, as Stockade's.
    Pool,
    /// Into memory that is asked for.
    Demand,
}

/// A command that was linked with `fd_write`, and nothing else of WASI.
#[derive(Clone)]
pub(crate) struct Command {
    instance: InstancePre<Vec<u8>>,
    start: ModuleExport,
    epochs: Epochs,
}

impl Command {
    /// Compiles a module.
    pub(crate) fn new(epochs: Epochs, place: Place, module: &[u8]) -> Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(epochs == Epochs::On).memory_may_move(false);
        if place == Place::Pool {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_memories(POOL).total_tables(POOL).total_core_instances(POOL);
            pool.max_memory_size(4 << 30);
            pool.linear_memory_keep_resident(64 << 10).table_keep_resident(16 << 10);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = Engine::new(&config)?;
        let module = Module::from_binary(&engine, module)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap("wasi_snapshot_preview1", "fd_write", write)?;
        let start = module.get_export_index("_start").ok_or_else(|| format_err!("no `_start`"))?;
        Ok(Self { instance: linker.instantiate_pre(&module)?, start, epochs })
    }

    /// Runs it in a store of its own; gives what it printed.
    pub(crate) fn run(&self) -> Result<Vec<u8>> {
        let mut store = Store::new(self.instance.module().engine(), Vec::new());
        if self.epochs == Epochs::On {
            store.set_epoch_deadline(1);
        }
        let instance = self.instance.instantiate(&mut store)?;
        let start = instance.get_module_export(&mut store, &self.start);
        let start = start.and_then(Extern::into_func).ok_or_else(|| format_err!("no `_start`"))?;
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
