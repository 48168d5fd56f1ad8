//! How fast modules compute: CPU time of three C programs under wasmtime that cannot be interrupted,
//! wasmtime that can, Stockade without and with fuel, and natively, alternating.
//!
//! `cargo run --release -p stockade-benches --bin steady [ROUNDS=30]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::process::Command;
use std::time::Duration;

use stockade::{Policy, Prepared, Program, Sandbox, Stdio, WasmSandbox};
use stockade_benches::bare::{self, Epochs};
use stockade_benches::{Failure, Machine, Race, WORKLOADS, Workload, thread_cpu};

/// More than any of the programs burns.
const FUEL: u64 = 1 << 40;

fn main() -> Result<(), Failure> {
    let rounds = std::env::args().nth(1).map_or(Ok(30), |rounds| rounds.parse())?;
    println!("{}; CPU time of the thread or process, alternating", Machine::look());
    let sandbox = WasmSandbox::new()?;
    for workload in WORKLOADS {
        match workload.module {
            Ok(module) => {
                println!("\n{}", workload.name);
                println!("{}", race(workload, module, &sandbox)?.run(rounds));
            }
            Err(reason) => println!("\n{} was not compiled:\n{reason}", workload.name),
        }
    }
    println!("\n{}", Machine::look());
    Ok(())
}

fn race<'a>(
    workload: &'a Workload,
    module: &[u8],
    sandbox: &WasmSandbox,
) -> Result<Race<'a>, Failure> {
    let [fast, metered] = [None, Some(FUEL)].map(|fuel| {
        let mut policy = Policy::default();
        policy.limits.fuel = fuel;
        sandbox.prepare(&policy, &Program::module(module))
    });
    let (fast, metered) = (fast?, metered?);
    let bare = bare::Command::new(Epochs::Off, module)?;
    let interruptible = bare::Command::new(Epochs::On, module)?;
    let expected = bare.run()?;
    // A workload that failed prints this instead of its sum.
    if expected == b"00000000\n" {
        return Err("the workload failed".into());
    }
    let same = move |printed: &[u8], time| {
        if printed == expected {
            Ok(time)
        } else {
            Err(Failure::from("it computed something else"))
        }
    };
    let sames = [(); 4].map(|()| same.clone());
    let [first, second, third, fourth] = sames;
    Ok(Race::new()
        .with("wasmtime, no epochs", move || {
            let (printed, time) = thread_cpu(|| bare.run())?;
            same(&printed, time)
        })
        .with("wasmtime, epochs", move || {
            let (printed, time) = thread_cpu(|| interruptible.run())?;
            first(&printed, time)
        })
        .with("stockade", move || {
            let (printed, time) = thread_cpu(|| run(&*fast))?;
            second(&printed, time)
        })
        .with("stockade, with fuel", move || {
            let (printed, time) = thread_cpu(|| run(&*metered))?;
            third(&printed, time)
        })
        .with("native, cc -O2", move || {
            let (printed, time) = native(workload.program?)?;
            fourth(&printed, time)
        }))
}

fn run(prepared: &dyn Prepared) -> Result<Vec<u8>, Failure> {
    let report = prepared.start(Stdio::captured())?.wait()?;
    Ok(report.stdout)
}

/// What the native program printed, and the CPU time that it says it used.
fn native(program: &str) -> Result<(Vec<u8>, Duration), Failure> {
    let output = Command::new(program).output()?;
    let nanos = String::from_utf8(output.stderr)?.trim().parse()?;
    Ok((output.stdout, Duration::from_nanos(nanos)))
}
