//! What an instance holds while it lives, how many can, and what the next run takes beside them.
//!
//! `cargo run --release -p stockade-benches --bin live [INSTANCES=10000]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::time::{Duration, Instant};

use stockade::wasm::{Function, Imports, Instance, Library};
use stockade::{Policy, Prepared, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::{Failure, HELLO, Machine, Memory, Race, time};

/// A module with data, as a compiler would make it, that keeps a number on a page of its memory.
const COUNTER: &str = r#"(module
    (memory (export "memory") 2)
    (data (i32.const 1024) "numbers are kept below")
    (func (export "count") (result i64)
        (i64.store (i32.const 4096) (i64.add (i64.load (i32.const 4096)) (i64.const 1)))
        (i64.load (i32.const 4096))))"#;

const ROUNDS: usize = 2000;

fn main() -> Result<(), Failure> {
    let wanted = std::env::args().nth(1).map_or(Ok(10_000), |wanted| wanted.parse())?;
    println!("{}", Machine::look());
    let empty = Memory::look();
    let (sandbox, made) = time(|| Ok(WasmSandbox::new()?))?;
    println!("\nthe process before: {empty}");
    println!("a sandbox, made in {made:.1?}: {}", Memory::look());

    let hello = sandbox.prepare(&Policy::default(), &Program::module(wat::parse_str(HELLO)?))?;
    let counter = Program::module(wat::parse_str(COUNTER)?);
    let library = sandbox.library(&Policy::default(), &counter, &Imports::new())?;
    let count = library.function::<(), i64>("count")?;

    println!("\nalone\n{}", starts(&library, &count, &*hello));
    let before = Memory::look();
    let mut alive = Vec::new();
    let (failure, took) = time(|| Ok(fill(&library, &count, wanted, &mut alive)))?;
    let after = Memory::look();
    println!("\n{} instances are alive, made in {took:.1?}: {after}", alive.len());
    println!("each: {}", after.each(&before, alive.len()));
    if let Some(failure) = failure {
        println!("there is no room for another: {failure}");
    }
    println!("\nbeside them\n{}", starts(&library, &count, &*hello));
    for (instance, expected) in alive.iter_mut().zip(std::iter::repeat(2)) {
        if instance.call(&count, ())?.returned() != Some(expected) {
            return Err("an instance lost its state".into());
        }
    }
    let begun = Instant::now();
    drop(alive);
    let took = begun.elapsed();
    println!("\nall counted once more and ended, in {took:.1?}: {}", Memory::look());
    Ok(())
}

/// Makes instances until there are `wanted`, or says why there are not.
fn fill(
    library: &Library,
    count: &Function<(), i64>,
    wanted: usize,
    alive: &mut Vec<Instance>,
) -> Option<Failure> {
    while alive.len() < wanted {
        match library.instantiate().and_then(|mut one| Ok((one.call(count, ())?, one))) {
            Ok((outcome, one)) if outcome.verdict().is_none() => alive.push(one),
            Ok((outcome, _)) => return Some(format!("it ended: {outcome:?}").into()),
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                return Some(format!("{:?}: {error}: {cause}", error.kind()).into());
            }
        }
    }
    None
}

fn starts<'a>(
    library: &'a Library,
    count: &'a Function<(), i64>,
    hello: &'a dyn Prepared,
) -> Race<'a> {
    Race::new()
        .with("a run that prints a line", || run(hello))
        .with("an instance, called once and dropped", || {
            let call = || Ok(library.instantiate()?.call(count, ())?.returned());
            match time(call)? {
                (Some(1), time) => Ok(time),
                _ => Err("it did not count".into()),
            }
        })
        .run(ROUNDS)
}

fn run(hello: &dyn Prepared) -> Result<Duration, Failure> {
    Ok(time(|| Ok(hello.start(Stdio::captured())?.wait()?))?.1)
}
