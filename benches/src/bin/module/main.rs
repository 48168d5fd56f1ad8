//! What a run of a WebAssembly module costs that prints a line: bare wasmtime, wasmtime with
//! wasmtime-wasi, and Stockade with captured output and the whole report, alternating in one process;
//! then the runs a second of several threads.
//!
//! `cargo run --release -p stockade-benches --features floor --bin module [RUNS=5000]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod throughput;

use std::time::Duration;

use stockade::{Limit, Policy, Prepared, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::bare::{self, Epochs};
use stockade_benches::{Failure, HELLO, Machine, Race, time};

const BARE: &str = "wasmtime, bare fd_write";
#[cfg(feature = "floor")]
const FLOOR: &str = "wasmtime, wasmtime-wasi";
const OURS: &str = "stockade";

/// Something that runs the module and gives what it printed.
pub(crate) type Run = Box<dyn Fn() -> Result<Vec<u8>, Failure> + Send + Sync>;

fn main() -> Result<(), Failure> {
    let runs = std::env::args().nth(1).map_or(Ok(5000), |runs| runs.parse())?;
    println!("{}", Machine::look());
    let contenders = contenders()?;
    let race = contenders
        .iter()
        .fold(Race::new(), |race, (name, run)| race.with(*name, move || measure(run)));
    let race = race.run(runs);
    println!("\na fresh store for each run, alternating\n{race}");
    #[cfg(feature = "floor")]
    if let Some(ratio) = race.ratio(OURS, FLOOR) {
        println!("{OURS} takes {ratio:.2}x as long as {FLOOR}");
    }
    #[cfg(not(feature = "floor"))]
    println!("wasmtime-wasi, in comparison: --features floor");
    throughput::print(&contenders)?;
    println!("\n{}", Machine::look());
    Ok(())
}

fn measure(run: &Run) -> Result<Duration, Failure> {
    let (printed, time) = time(run)?;
    if printed != b"hello\n" {
        return Err("the module did not print its line".into());
    }
    Ok(time)
}

fn contenders() -> Result<Vec<(&'static str, Run)>, Failure> {
    let module = wat::parse_str(HELLO)?;
    let bare = bare::Command::new(Epochs::On, &module)?;
    let mut all: Vec<(_, Run)> = vec![(BARE, Box::new(move || bare.run()))];
    #[cfg(feature = "floor")]
    {
        let floor = stockade_benches::floor::Command::new(&module)?;
        all.push((FLOOR, Box::new(move || floor.run())));
    }
    let sandbox = WasmSandbox::new()?;
    let mut metered = Policy::default();
    metered.limits.fuel = Some(1_000_000);
    let policies = [
        (OURS, Policy::default()),
        ("stockade, with fuel", metered),
        ("stockade, no limits", unlimited()),
    ];
    for (name, policy) in policies {
        let prepared = sandbox.prepare(&policy, &Program::module(module.clone()))?;
        all.push((name, Box::new(move || stockade(&*prepared))));
    }
    Ok(all)
}

/// Nothing that a clock would have to watch, and nothing that is counted.
fn unlimited() -> Policy {
    let mut policy = Policy::default();
    let limits = &mut policy.limits;
    (limits.wall_time, limits.cpu_time) = (Limit::Unlimited, Limit::Unlimited);
    (limits.memory, limits.output, limits.disk, limits.file_size) =
        (Limit::Unlimited, Limit::Unlimited, Limit::Unlimited, Limit::Unlimited);
    (limits.processes, limits.open_files) = (Limit::Unlimited, Limit::Unlimited);
    policy
}

fn stockade(prepared: &dyn Prepared) -> Result<Vec<u8>, Failure> {
    Ok(prepared.start(Stdio::captured())?.wait()?.stdout)
}
