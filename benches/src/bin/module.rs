//! How long a WebAssembly module takes that prints a line: bare wasmtime against Stockade, with
//! limits, captured output and the whole report, alternating in one process.
//!
//! `cargo run --release -p stockade-benches --bin module [RUNS]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::time::Instant;

use stockade::{Policy, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::{Machine, Times};
use wasmtime::{
    Caller, Config, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store,
};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00")
    (data (i32.const 8) "hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))"#;

fn main() -> Result<(), Box<dyn Error>> {
    let runs = std::env::args().nth(1).map_or(Ok(5000), |runs| runs.parse())?;
    let module = wat::parse_str(HELLO)?;
    let bare = bare(&module)?;
    let sandbox = WasmSandbox::new()?;
    let prepared = sandbox.prepare(&Policy::default(), &Program::module(module))?;
    let (mut raw, mut ours) = (Times::default(), Times::default());
    for round in 0..runs + runs / 10 {
        let begun = Instant::now();
        let printed = run_bare(&bare)?;
        let raw_time = begun.elapsed();
        let begun = Instant::now();
        let report = prepared.start(Stdio::captured())?.wait()?;
        let our_time = begun.elapsed();
        if printed != b"hello\n" || report.stdout != printed {
            return Err("the module did not print its line".into());
        }
        // The first tenth warms caches.
        if round >= runs / 10 {
            raw.add(Ok::<_, String>(raw_time));
            ours.add(Ok::<_, String>(our_time));
        }
    }
    println!("{}; n = {}, alternating", Machine::look(), ours.count());
    println!("{:34} {:>10} {:>10} {:>8}", "", "p50", "p99", "ratio");
    for (name, times) in [("wasmtime, pooling, bare fd_write", &raw), ("stockade, prepared", &ours)]
    {
        let (median, tail) = (times.median(), times.percentile(99));
        println!("{name:34} {median:>10.2?} {tail:>10.2?} {:>7.2}x", times.ratio(&raw));
    }
    Ok(())
}

/// The least that can be done: the same engine knobs, one function, no limit.
fn bare(module: &[u8]) -> Result<InstancePre<Vec<u8>>, Box<dyn Error>> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(1000).total_tables(1000).total_core_instances(1000);
    pool.linear_memory_keep_resident(128 << 10).table_keep_resident(64 << 10);
    let mut config = Config::new();
    config.epoch_interruption(true).memory_may_move(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let module = Module::from_binary(&engine, module)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("wasi_snapshot_preview1", "fd_write", write)?;
    Ok(linker.instantiate_pre(&module)?)
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

fn run_bare(instance: &InstancePre<Vec<u8>>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut store = Store::new(instance.module().engine(), Vec::new());
    store.set_epoch_deadline(1);
    let made = instance.instantiate(&mut store)?;
    made.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
    Ok(store.into_data())
}
