//! WebAssembly: Stockade's backend, and wasmtime with nothing around it.

use stockade_core::{Prepared, Program, Report, Sandbox};

use super::raw::{Command, Epochs, Place};
use super::{mode, native, words};
use crate::contenders::policy;
use crate::measure::{Ran, chain, measure, measure_report, start, succeeded};
use crate::options::Session;
use crate::race::{Entrant, Run};
use crate::{HELLO, Mode};

const LINE: &[u8] = b"hello\n";

/// What all of these run, which has no counterpart among native programs.
const NOTE: &str = "a module that prints a line, which is captured";

/// The version of wasmtime that this is built with, as its crate is pinned.
const WASMTIME: &str = "48.0.8";

pub(crate) fn entrants(session: &Session<'_>) -> Vec<Entrant<'static>> {
    vec![
        one("wasm_cold", "stockade, module, cold", "cold", "compiled for each run", |walls| {
            cold(session, walls)
        }),
        one("wasm_disk", "stockade, module, cached", "warm", "compiled code on disk", |walls| {
            cached(session, walls)
        }),
        one("wasm_prepared", "stockade, module, prepared", "warm", "compiled before", |walls| {
            prepared(session, walls)
        }),
        one("wasmtime_pooling", "wasmtime, pooling", "warm", "compiled before", |walls| {
            bare(walls, Place::Pool)
        }),
        one("wasmtime_on_demand", "wasmtime, on demand", "warm", "compiled before", |walls| {
            bare(walls, Place::Demand)
        }),
    ]
}

fn one(
    id: &str,
    name: &str,
    start: &str,
    note: &str,
    make: impl FnOnce(&mut Vec<String>) -> Result<Run<'static>, String>,
) -> Entrant<'static> {
    let mode = mode(id, name, "wasm", start);
    let version = Some(match id.starts_with("wasmtime") {
        true => WASMTIME.to_owned(),
        false => env!("CARGO_PKG_VERSION").to_owned(),
    });
    let mut mode = Mode { note: Some(format!("{note}; {NOTE}")), version, ..mode };
    match make(&mut mode.walls) {
        Ok(run) => Entrant::new(mode, run),
        Err(failure) => Entrant::broken(mode, failure),
    }
}

/// Prepares a module and runs it once, for what its receipt says.
fn tried(sandbox: &dyn Sandbox, walls: &mut Vec<String>) -> Result<Box<dyn Prepared>, String> {
    let tried = || {
        let prepared = sandbox.prepare(&policy(sandbox), &Program::module(HELLO))?;
        let report = start(&*prepared)?;
        Ok((prepared, report))
    };
    let (prepared, report) = tried().map_err(|error: stockade_core::Error| chain(&error))?;
    *walls = native::walls(&report);
    printed(&succeeded(report)?)?;
    Ok(prepared)
}

fn printed(report: &Report) -> Result<(), String> {
    if report.stdout == LINE { Ok(()) } else { Err("it did not print its line".to_owned()) }
}

fn cold(session: &Session<'_>, walls: &mut Vec<String>) -> Result<Run<'static>, String> {
    let sandbox = session.makers.modules(None).map_err(|error| chain(&error))?;
    tried(&*sandbox, walls)?;
    let mut number = 0;
    Ok(Box::new(move || {
        number += 1;
        prepare_and_run(&*sandbox, number)
    }))
}

fn cached(session: &Session<'_>, walls: &mut Vec<String>) -> Result<Run<'static>, String> {
    // More than there are rounds, as each is read from disk once.
    let count = session.rounds() + 10;
    let dir = session.scratch.dir("modules").map_err(|error| error.to_string())?;
    let writer = session.makers.modules(Some(&dir)).map_err(|error| chain(&error))?;
    let policy = policy(&*writer);
    for number in 0..=count as u64 {
        let program = Program::module(variant(number));
        writer.prepare(&policy, &program).map_err(|error| chain(&error))?;
    }
    drop(writer);
    let reader = session.makers.modules(Some(&dir)).map_err(|error| chain(&error))?;
    tried(&*reader, walls)?;
    let mut number = 0;
    Ok(Box::new(move || {
        number += 1;
        prepare_and_run(&*reader, number)
    }))
}

/// Prepares the module of this number, which is another one for whoever keeps compiled code.
fn prepare_and_run(sandbox: &dyn Sandbox, number: u64) -> Result<Ran, String> {
    let (policy, program) = (policy(sandbox), Program::module(variant(number)));
    let (report, mut ran) = measure_report(|| start(&*sandbox.prepare(&policy, &program)?))?;
    printed(&report)?;
    ran.phases.insert(0, ("prepare".to_owned(), report.timings.prepare_ns));
    Ok(ran)
}

/// The module with a section that means nothing and has a number.
fn variant(number: u64) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let mut module = HELLO.to_vec();
    let size = 1 + NAME.len() + size_of::<u64>();
    module.extend([0, size as u8, NAME.len() as u8]);
    module.extend(NAME);
    module.extend(number.to_le_bytes());
    module
}

fn prepared(session: &Session<'_>, walls: &mut Vec<String>) -> Result<Run<'static>, String> {
    let sandbox = session.makers.modules(None).map_err(|error| chain(&error))?;
    let prepared = tried(&*sandbox, walls)?;
    Ok(Box::new(move || {
        let _keep = &sandbox;
        let (report, ran) = measure_report(|| start(&*prepared))?;
        printed(&report)?;
        Ok(ran)
    }))
}

fn bare(walls: &mut Vec<String>, place: Place) -> Result<Run<'static>, String> {
    *walls = words(&["memory of its own, checked by the engine", "one function of the host"]);
    let command = Command::new(Epochs::On, place, HELLO).map_err(|error| format!("{error:#}"))?;
    Ok(Box::new(move || {
        let (line, ran) = measure(|| command.run().map_err(|error| format!("{error:#}")))?;
        if line == LINE { Ok(ran) } else { Err("it did not print its line".to_owned()) }
    }))
}
