//! What it costs to prepare a module: for the first time, from the files an earlier sandbox left, and
//! again in the same sandbox.
//!
//! `cargo run --release -p stockade-benches --bin compile [ROUNDS=20] [MODULE…]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use stockade::{Policy, Program, Sandbox, WasmSandbox};
use stockade_benches::{Failure, HELLO, Machine, Race, WORKLOADS, time};

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(20), |rounds| rounds.parse())?;
    let directory = std::env::temp_dir().join(format!("stockade-compile-{}", std::process::id()));
    println!("{}", Machine::look());
    let outcome = races(&directory, rounds, arguments);
    let removed = fs::remove_dir_all(&directory);
    outcome?;
    Ok(removed?)
}

fn races(
    directory: &Path,
    rounds: usize,
    files: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    race("hello", &wat::parse_str(HELLO)?, directory, rounds)?;
    for workload in WORKLOADS {
        match workload.module {
            Ok(module) => race(workload.name, module, directory, rounds)?,
            Err(reason) => println!("\n{} was not compiled:\n{reason}", workload.name),
        }
    }
    for file in files {
        race(&file, &fs::read(&file)?, directory, rounds)?;
    }
    Ok(())
}

fn race(name: &str, module: &[u8], directory: &Path, rounds: usize) -> Result<(), Failure> {
    println!("\n{name}, {} KiB", module.len().div_ceil(1024));
    let program = Program::module(module);
    let cached = || WasmSandbox::builder().cache_dir(directory).build();
    let kept = WasmSandbox::new()?;
    // Fills the directory.
    prepare(&cached()?, &program)?;
    let race = Race::new()
        .with("for the first time", || prepare(&WasmSandbox::new()?, &program))
        .with("from the cache directory", || prepare(&cached()?, &program))
        .with("again in the same sandbox", || prepare(&kept, &program));
    println!("{}", race.run(rounds));
    Ok(())
}

fn prepare(sandbox: &WasmSandbox, program: &Program) -> Result<Duration, Failure> {
    Ok(time(|| Ok(sandbox.prepare(&Policy::default(), program)?))?.1)
}
