//! Isolation modes side by side, on this machine: the same program as a plain process, behind each
//! wall of Stockade's, in WebAssembly, and in what else is installed here to isolate it.
//!
//! The rules:
//!
//! * All modes take turns, so that what disturbs one disturbs all. Slow ones take fewer.
//! * Cold is compared with cold, and warm with warm: [`Mode::start`].
//! * Every mode runs the same program, or says in [`Mode::note`] why it cannot.
//! * The protection that stands is listed beside the time: [`Mode::walls`].
//! * CPU time counts helpers, where they can be seen.
//! * What fails is shown as failing, and what is missing as missing.
//!
//! What is started is owned: it is ended by its id, and its files go with it.
#![forbid(unsafe_code)]

mod archive;
mod contenders;
mod endurance;
mod extra;
mod live;
mod machine;
mod measure;
mod modes;
mod options;
mod overhead;
mod page;
mod race;
mod results;
mod scratch;
mod series;
mod spawn;
mod targets;

pub use contenders::{Makers, Modules, Native, Walls};
pub use options::{Options, Progress, Stopped};
pub use page::page;
pub use results::{
    Footprint, Growth, Host, Mode, Overhead, PhaseTime, Point, Results, Series, Target, percentile,
};

use std::cell::RefCell;
use std::time::SystemTime;

use options::Session;
use scratch::Scratch;

/// A program that does nothing but what its arguments say; see `image/main.rs`.
const WORK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/work"));
/// A module that prints a line.
const HELLO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hello.wasm"));
/// Modules that compute, by name.
const COMPUTING: [(&str, &[u8]); 2] = [
    ("sieve", include_bytes!(concat!(env!("OUT_DIR"), "/sieve.wasm"))),
    ("mix", include_bytes!(concat!(env!("OUT_DIR"), "/mix.wasm"))),
];
/// A module with a function `count`, which gives how often it was called.
const COUNTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter.wasm"));

/// Raised when a member of the results changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// Measures everything. It takes minutes, or with [`Options::quick`] less than half of one.
///
/// # Errors
/// [`Stopped`] when `progress` says so. Whatever else fails is part of the results.
pub fn run(
    makers: &dyn Makers,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Results, Stopped> {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let mut host = machine::look();
    let mut results = Results {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        date,
        command: options.command.clone(),
        quick: options.quick,
        host: host.clone(),
        modes: Vec::new(),
        host_size: Vec::new(),
        concurrency: Vec::new(),
        live: Vec::new(),
        endurance: Vec::new(),
        growth: Vec::new(),
        footprint: Vec::new(),
        overhead: Vec::new(),
        targets: Vec::new(),
    };
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => {
            let failure = Some(format!("no directory for temporary files: {error}"));
            results.modes.push(Mode { id: "plain".to_owned(), failure, ..Mode::default() });
            return Ok(results);
        }
    };
    let _files = machine::ManyFiles::allow();
    let failures = RefCell::default();
    let session = Session { makers, options, progress, scratch: &scratch, failures: &failures };
    results.modes = modes::measure(&session)?;
    if options.series {
        results.overhead = overhead::measure(&session)?;
        results.concurrency = series::concurrency(&session)?;
        (results.live, results.footprint) = live::measure(&session)?;
        results.host_size = series::host_size(&session)?;
    }
    if options.long {
        (results.endurance, results.growth) = endurance::measure(&session)?;
    }
    let extra = if options.series { extra::measure(&session)? } else { extra::Extra::default() };
    results.targets = targets::targets(&results, &extra);
    note(&mut results.modes, failures.into_inner());
    host.load_after = machine::load();
    results.host = host;
    Ok(results)
}

/// Adds to the notes what failed outside the race.
fn note(modes: &mut [Mode], failures: Vec<(String, String)>) {
    for (id, failure) in failures {
        let Some(mode) = modes.iter_mut().find(|mode| mode.id == id) else { continue };
        let before = mode.note.take().map_or_else(String::new, |note| format!("{note}; "));
        mode.note = Some(format!("{before}FAILED {failure}"));
    }
}
