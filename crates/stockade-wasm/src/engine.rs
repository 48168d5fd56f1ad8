//! [`Engines`]: wasmtime's engines and the knobs they are made with.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

/// Slots of the pool, from many to few: less where address space or mappings are short.
const RUNGS: [u32; 3] = [1000, 256, 64];

/// Stack of a guest, in bytes. Deeper recursion is a trap.
pub(crate) const STACK: usize = 512 << 10;

/// Two engines: whether instructions are counted is decided when a module is compiled.
#[derive(Clone)]
pub(crate) struct Engines {
    fast: Engine,
    metered: Engine,
    /// How instances are allocated, in words.
    pub(crate) allocation: &'static str,
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").field("allocation", &self.allocation).finish_non_exhaustive()
    }
}

impl Engines {
    /// Makes both, with as large a pool as this process can have.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        for slots in RUNGS {
            if let (Ok(fast), Ok(metered)) = (pooled(slots, false), pooled(slots.min(64), true)) {
                let allocation = match slots {
                    1000 => "pool of 1000 slots",
                    256 => "pool of 256 slots",
                    _ => "pool of 64 slots",
                };
                return Ok(Self { fast, metered, allocation });
            }
        }
        let fast = Engine::new(&config(false))?;
        let metered = Engine::new(&config(true))?;
        Ok(Self { fast, metered, allocation: "on demand" })
    }

    /// The engine for a run that is, or is not, metered.
    pub(crate) fn get(&self, metered: bool) -> &Engine {
        if metered { &self.metered } else { &self.fast }
    }

    /// Has every running guest look at its tether.
    pub(crate) fn bump(&self) {
        self.fast.increment_epoch();
        self.metered.increment_epoch();
    }
}

fn pooled(slots: u32, metered: bool) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(slots)
        .total_tables(slots)
        .total_core_instances(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(64 << 10)
        // On with a scan, swapped-out pages of the last tenant stay readable in this version.
        .pagemap_scan(Enabled::No);
    let mut config = config(metered);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

fn config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(metered)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .memory_may_move(false)
        .table_lazy_init(true)
        .max_wasm_stack(STACK)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_extended_const(true)
        // Proposals that are on by default: each is attack surface that few modules need.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false);
    config
}
