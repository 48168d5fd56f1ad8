//! [`Engines`]: wasmtime's engines and the knobs they are made with.

use std::num::NonZero;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::handlers;

/// Slots of the pool, from many to few: less where address space or mappings are short. The first
/// takes 47 TiB of addresses, of which a process has 128.
const RUNGS: [(u32, &str); 4] = [
    (12_000, "pool of 12000 slots, 1000 with fuel"),
    (1000, "pool of 1000 slots"),
    (256, "pool of 256 slots"),
    (64, "pool of 64 slots"),
];

/// Core instances and tables for each slot: a component has several, but one memory.
const PARTS: u32 = 32;
const TABLES: u32 = 4;

/// What one run may take of the pool, or without one: a component must not use up what others need.
pub(crate) const MOST_INSTANCES: u32 = 200;
pub(crate) const MOST_MEMORIES: u32 = 4;
pub(crate) const MOST_TABLES: u32 = 32;

/// Stack of a guest, in bytes. Deeper recursion is a trap.
pub(crate) const STACK: usize = 1 << 20;

/// Most frames of a backtrace.
const FRAMES: usize = 20;

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

/// What an embedder may choose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Knobs {
    /// Traps come with a backtrace.
    pub(crate) backtraces: bool,
}

impl Engines {
    /// Makes both, with as large a pool as this process can have.
    pub(crate) fn new(knobs: Knobs) -> wasmtime::Result<Self> {
        let config = |metered| config(metered, knobs);
        for (slots, allocation) in RUNGS {
            let fast = pooled(config(false), slots);
            let metered = pooled(config(true), slots.min(1000));
            if let (Ok(fast), Ok(metered)) = (fast, metered) {
                handlers::remember();
                return Ok(Self { fast, metered, allocation });
            }
        }
        let fast = Engine::new(&config(false))?;
        let metered = Engine::new(&config(true))?;
        handlers::remember();
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

fn pooled(mut config: Config, slots: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(slots)
        .total_tables(TABLES * slots)
        .total_core_instances(PARTS * slots)
        .total_component_instances(slots)
        .max_core_instances_per_component(MOST_INSTANCES)
        .max_memories_per_component(MOST_MEMORIES)
        .max_tables_per_component(MOST_TABLES)
        // Not reserved, only allowed: the tables of functions of a language runtime are large.
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        // Cleared by writing, and kept by every slot that was used once.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(16 << 10)
        // On with a scan, swapped-out pages of the last tenant stay readable in this version.
        .pagemap_scan(Enabled::No);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

fn config(metered: bool, knobs: Knobs) -> Config {
    let frames = NonZero::new(FRAMES).filter(|_| knobs.backtraces);
    let details = match knobs.backtraces {
        true => WasmBacktraceDetails::Enable,
        false => WasmBacktraceDetails::Disable,
    };
    let mut config = Config::new();
    config
        .wasm_backtrace_max_frames(frames)
        .wasm_backtrace_details(details)
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
        // What wasmtime generates between the components of a component has two; the modules of a
        // guest may have one, see `check`.
        .wasm_multi_memory(true)
        // Proposals that are on by default: each is attack surface that few modules need.
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false);
    config
}
