//! Runs again and again: whether the last cost what the first did, and what is held meanwhile.

use std::fs;
use std::process::Command;
use std::time::Instant;

use stockade_core::{Prepared, Program};

use crate::machine::kibibytes;
use crate::measure::{chain, nanos, start, succeeded};
use crate::modes::native;
use crate::options::Session;
use crate::series::{add, point, ready, ready_module};
use crate::spawn::run_plainly;
use crate::{Growth, Series, Stopped};

/// Parts of it that are told one by one.
const STRETCHES: usize = 10;
/// A plain process tells what the machine itself did meanwhile: one for so many runs is enough.
const SELDOM: usize = 10;

/// Something that is run again and again.
struct Entrant {
    mode: &'static str,
    /// It takes part in one of so many rounds.
    every: usize,
    run: Box<dyn FnMut() -> Result<(), String>>,
    /// Of this stretch.
    samples: Vec<u64>,
}

impl Entrant {
    fn new(
        mode: &'static str,
        every: usize,
        run: impl FnMut() -> Result<(), String> + 'static,
    ) -> Self {
        Self { mode, every, run: Box::new(run), samples: Vec::new() }
    }
}

/// Has all take turns, in stretches.
pub(crate) fn measure(session: &Session<'_>) -> Result<(Vec<Series>, Vec<Growth>), Stopped> {
    let each = session.count(10_000, 1000);
    let (mut entrants, helper) = entrants(session);
    // Its pages are there from the beginning, so that they do not look like growth.
    entrants.iter_mut().for_each(|entrant| entrant.samples = vec![1; each]);
    let mut growth = vec![look(0, helper)];
    let mut series = Vec::new();
    for stretch in 0..STRETCHES {
        entrants.iter_mut().for_each(|entrant| entrant.samples.clear());
        for round in 0..each {
            session.progress.at("again and again", stretch * each + round, STRETCHES * each)?;
            for entrant in &mut entrants {
                if round % entrant.every == 0 {
                    take(session, entrant);
                }
            }
        }
        let runs = ((stretch + 1) * each) as u64;
        growth.push(look(runs, helper));
        for entrant in &entrants {
            if let Some(point) = point(runs, &entrant.samples) {
                add(&mut series, entrant.mode, "runs", point);
            }
        }
    }
    Ok((series, growth))
}

/// Those that can be run, and the helper's process id. What cannot was reported among the modes.
fn entrants(session: &Session<'_>) -> (Vec<Entrant>, Option<u32>) {
    let program = native::program();
    let plain = move || run_plainly(&mut Command::new(program)).map(drop);
    let mut all = vec![Entrant::new("plain", SELDOM, plain)];
    let mut helper = None;
    if let Some((sandbox, prepared)) = ready(session, &Program::executable(program)) {
        helper = sandbox.helper();
        all.push(Entrant::new("namespace_prepared", 1, move || {
            // The sandbox is kept for its helper.
            let _keep = &sandbox;
            run(&*prepared)
        }));
    }
    if let Some((sandbox, prepared)) = ready_module(session) {
        all.push(Entrant::new("wasm_prepared", 1, move || {
            let _keep = &sandbox;
            run(&*prepared)
        }));
    }
    (all, helper)
}

fn run(prepared: &dyn Prepared) -> Result<(), String> {
    succeeded(start(prepared).map_err(|error| chain(&error))?).map(drop)
}

fn take(session: &Session<'_>, entrant: &mut Entrant) {
    let begun = Instant::now();
    match (entrant.run)() {
        Ok(()) => entrant.samples.push(nanos(begun.elapsed())),
        Err(failure) => session.failed(entrant.mode, "again and again", &failure),
    }
}

/// What this process and its helper hold now.
fn look(runs: u64, helper: Option<u32>) -> Growth {
    let this = std::process::id();
    Growth {
        runs,
        host_bytes: resident(this).unwrap_or_default(),
        host_files: files(this).unwrap_or_default(),
        helper_bytes: helper.and_then(resident),
        helper_files: helper.and_then(files),
    }
}

/// Resident bytes of a process; see proc(5), `status`.
fn resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(kibibytes(&text, "VmRSS:")? * 1024)
}

/// Open descriptors of a process.
fn files(process: u32) -> Option<u64> {
    let listed = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64;
    // One of this process's is that of the list.
    Some(listed - u64::from(process == std::process::id()))
}
