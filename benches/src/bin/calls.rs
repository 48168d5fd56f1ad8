//! What a call costs: of a module's function from the host, as a database would for every row, and of
//! a host's function from a module; by bare wasmtime and through Stockade, alternating.
//!
//! `cargo run --release -p stockade-benches --bin calls [ROUNDS=500]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::time::Duration;

use stockade::wasm::{Function, Imports, Instance, Library};
use stockade::{Policy, Program, WasmSandbox};
use stockade_benches::bare::{self, Epochs};
use stockade_benches::{Failure, Machine, Race, repeat, time};
use wasmtime::{Engine, Linker, Module, Store, TypedFunc};

/// One function to be called, and one that calls the host's as often as it is told.
const MODULE: &str = r#"(module
    (import "host" "next" (func $next (param i64) (result i64)))
    (memory (export "memory") 1)
    (func (export "row") (param i64) (result i64)
        (i64.add (local.get 0) (i64.const 1)))
    (func (export "ask") (param $times i64) (result i64)
        (local $value i64)
        (loop $again
            (local.set $value (call $next (local.get $value)))
            (local.set $times (i64.sub (local.get $times) (i64.const 1)))
            (br_if $again (i64.gt_s (local.get $times) (i64.const 0))))
        (local.get $value)))"#;

/// Calls between two looks at the clock.
const BATCH: u32 = 1000;

fn main() -> Result<(), Failure> {
    let rounds = std::env::args().nth(1).map_or(Ok(500), |rounds| rounds.parse())?;
    println!("{}; means of {BATCH} calls, alternating", Machine::look());
    let module = wat::parse_str(MODULE)?;
    let sandbox = WasmSandbox::new()?;
    let imports = Imports::new().function("host", "next", |_call, value: i64| Ok(value + 1));
    let library =
        sandbox.library(&Policy::default(), &Program::module(module.clone()), &imports)?;
    println!("\na module's function, called by the host\n{}", rows(&library, &module)?.run(rounds));
    println!("\na host's function, called by a module\n{}", asks(&library, &module)?.run(rounds));
    Ok(())
}

fn rows<'a>(library: &Library, module: &[u8]) -> Result<Race<'a>, Failure> {
    let (mut store, row) = bare(module, "row")?;
    let function = library.function::<i64, i64>("row")?;
    let mut instance = library.instantiate()?;
    let called = move |value| row.call(&mut store, value).map_err(Failure::from);
    Ok(Race::new()
        .with("wasmtime, TypedFunc::call", sum(called))
        .with("stockade, Instance::call", sum(move |value| call(&mut instance, &function, value))))
}

/// A thousand rows, one call each.
fn sum(
    mut call: impl FnMut(i64) -> Result<i64, Failure>,
) -> impl FnMut() -> Result<Duration, Failure> {
    move || {
        let mut value = 0;
        let time = repeat(BATCH, || {
            value = call(value)?;
            Ok(())
        })?;
        if value == i64::from(BATCH) { Ok(time) } else { Err("it did not add".into()) }
    }
}

fn asks<'a>(library: &Library, module: &[u8]) -> Result<Race<'a>, Failure> {
    let (mut store, ask) = bare(module, "ask")?;
    let function = library.function::<i64, i64>("ask")?;
    let mut instance = library.instantiate()?;
    let asked = move |times| ask.call(&mut store, times).map_err(Failure::from);
    Ok(Race::new().with("wasmtime, Linker::func_wrap", once(asked)).with(
        "stockade, Imports::function",
        once(move |times| call(&mut instance, &function, times)),
    ))
}

/// One call that calls the host a thousand times.
fn once(
    mut call: impl FnMut(i64) -> Result<i64, Failure>,
) -> impl FnMut() -> Result<Duration, Failure> {
    move || match time(|| call(BATCH.into()))? {
        (value, time) if value == i64::from(BATCH) => Ok(time / BATCH),
        _ => Err("it did not ask".into()),
    }
}

fn call(
    instance: &mut Instance,
    function: &Function<i64, i64>,
    parameter: i64,
) -> Result<i64, Failure> {
    let outcome = instance.call(function, parameter)?;
    outcome.returned().ok_or_else(|| "it was stopped".into())
}

fn bare(module: &[u8], name: &str) -> Result<(Store<()>, TypedFunc<i64, i64>), Failure> {
    let engine: Engine = bare::engine(Epochs::On)?;
    let module = Module::from_binary(&engine, module)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "next", |value: i64| value + 1)?;
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1);
    let instance = linker.instantiate(&mut store, &module)?;
    let function = instance.get_typed_func(&mut store, name)?;
    Ok((store, function))
}
