//! The same work outside and inside: what a program that runs for long loses.

use std::process::{Command, Output, Stdio as Pipes};

use stockade_core::{Mount, Prepared, Program};

use crate::contenders::{Walls, policy};
use crate::measure::{chain, start, succeeded, thread_cpu_ns};
use crate::modes::raw::{self, Epochs, Place};
use crate::options::Session;
use crate::{COMPUTING, Overhead, Stopped, WORK, percentile};

/// Name, words, and the name in the results.
const NATIVE: [(&str, &str, &str); 3] = [
    ("cpu", "20000000", "arithmetic"),
    ("calls", "300000", "system calls (getppid)"),
    ("reads", "2000", "file reads (open, 16 pages, close)"),
];
/// The file that is read, inside.
const DATA: &str = "/data";
const PAGES: usize = 16 * 4096;

/// Measures both backends.
pub(crate) fn measure(session: &Session<'_>) -> Result<Vec<Overhead>, Stopped> {
    let rounds = session.count(20, 4);
    let mut all = Vec::new();
    for (name, times, workload) in NATIVE {
        let Ok(pair) = native(session, name, times) else { continue };
        all.extend(alternate(session, rounds, workload, "namespace_prepared", pair)?);
    }
    for (name, module) in COMPUTING {
        let Ok(pair) = module_pair(session, module) else { continue };
        all.extend(alternate(session, rounds, name, "wasm_prepared", pair)?);
    }
    Ok(all)
}

type Timed = Box<dyn FnMut() -> Result<u64, String>>;

/// Runs both in turns. Nothing if one fails, which would be no comparison.
fn alternate(
    session: &Session<'_>,
    rounds: usize,
    workload: &str,
    mode: &str,
    (mut bare, mut inside): (Timed, Timed),
) -> Result<Option<Overhead>, Stopped> {
    let (mut outside_ns, mut inside_ns) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        session.progress.at(&format!("long runs: {workload}"), round, rounds)?;
        match (bare(), inside()) {
            (Ok(outside), Ok(inside)) => {
                outside_ns.push(outside);
                inside_ns.push(inside);
            }
            _ => return Ok(None),
        }
    }
    let medians = percentile(&outside_ns, 50).zip(percentile(&inside_ns, 50));
    Ok(medians.map(|(bare_ns, inside_ns)| {
        let (workload, mode) = (workload.to_owned(), mode.to_owned());
        Overhead { workload, mode, bare_ns, inside_ns }
    }))
}

/// The static program as a process and in a sandbox; it says itself what CPU time it took.
fn native(session: &Session<'_>, name: &str, times: &str) -> Result<(Timed, Timed), String> {
    let data = session.scratch.file("data", &vec![7; PAGES]).map_err(|error| error.to_string())?;
    let sandbox = session.makers.native(Walls::All).map_err(|error| chain(&error))?;
    let mut policy = policy(&*sandbox);
    policy.filesystem.mounts.push(Mount::file("/work", WORK));
    policy.filesystem.mounts.push(Mount::read_only(&data, DATA));
    let program = Program::executable("/work").args([name, times, DATA]);
    let prepared = sandbox.prepare(&policy, &program).map_err(|error| chain(&error))?;
    let work = session.scratch.work();
    let words = [name.to_owned(), times.to_owned(), data.to_string_lossy().into_owned()];
    let bare = move || {
        let output = Command::new(&work).args(&words).stdin(Pipes::null()).output();
        let Output { status, stdout, .. } = output.map_err(|error| error.to_string())?;
        if status.success() { number(&stdout) } else { Err(status.to_string()) }
    };
    let inside = move || {
        // The sandbox is kept for its helper.
        let _keep = &sandbox;
        let report = succeeded(start(&*prepared).map_err(|error| chain(&error))?)?;
        number(&report.stdout)
    };
    Ok((Box::new(bare), Box::new(inside)))
}

fn number(text: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(text);
    text.trim().parse().map_err(|_| format!("no number: {text}"))
}

/// A module in wasmtime that cannot be interrupted, and in the backend.
fn module_pair(session: &Session<'_>, module: &[u8]) -> Result<(Timed, Timed), String> {
    let command = raw::Command::new(Epochs::Off, Place::Pool, module);
    let command = command.map_err(|error| format!("{error:#}"))?;
    let sandbox = session.makers.modules(None).map_err(|error| chain(&error))?;
    let prepared = sandbox
        .prepare(&policy(&*sandbox), &Program::module(module))
        .map_err(|error| chain(&error))?;
    let bare = move || {
        let begun = thread_cpu_ns();
        command.run().map_err(|error| format!("{error:#}"))?;
        Ok(thread_cpu_ns().saturating_sub(begun))
    };
    let inside = move || {
        let _keep = &sandbox;
        run(&*prepared)
    };
    Ok((Box::new(bare), Box::new(inside)))
}

/// The guest runs on the thread that waits.
fn run(prepared: &dyn Prepared) -> Result<u64, String> {
    let begun = thread_cpu_ns();
    let report = start(prepared).map_err(|error| chain(&error))?;
    let took = thread_cpu_ns().saturating_sub(begun);
    succeeded(report).map(|_| took)
}
