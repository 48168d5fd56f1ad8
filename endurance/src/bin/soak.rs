//! Runs a great many programs in both backends, and looks for what grows.
//!
//! `cargo run --release -p stockade-endurance --bin soak -- [--runs 100000] [--samples 100]
//! [--threads 4] [--seed N] [--data FILE]`
//!
//! Between equal shares of the runs, when nothing is alive, it measures what this process, its
//! wardens and the kernel hold. The second half of each series has to be flat: `flat.rs` says what
//! that means and `sample.rs` how flat. `--data` keeps the series, a JSON object for each sample.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it does")]

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::process::{getpid, set_child_subreaper};
use stockade::{Census, NamespaceSandbox, WasmSandbox};
use stockade_endurance::flat::judge;
use stockade_endurance::mix::{Crew, Mix};
use stockade_endurance::sample::{MEASURES, Sample};
use stockade_endurance::traces::remaining;
use stockade_endurance::{Failure, Options, Watchdog, native, soon};

/// A run that takes longer will never end.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the last sandboxes may take to be taken down.
const SETTLE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["runs", "samples", "threads", "seed", "data"])?;
    let (runs, samples) = (options.number("runs", 100_000)?, options.number("samples", 100)?);
    let (threads, seed) = (options.number("threads", 4)?, options.seed()?);
    let mut data = options.data()?;
    // Wardens, and what one leaves behind, are then beneath this process.
    set_child_subreaper(Some(getpid()))?;
    let backend = match native("soak")? {
        Ok(backend) => backend,
        Err(skip) => {
            println!("{skip}");
            return Ok(());
        }
    };
    println!("{runs} runs, {threads} threads, seed {seed}");
    let modules = WasmSandbox::new()?;
    let mut mix = Mix::default();
    mix.add_native(&backend)?;
    mix.add_modules(&modules)?;

    #[expect(clippy::exit, reason = "a thread that hangs cannot be asked to end")]
    let dog = Watchdog::new(PATIENCE, |what| {
        eprintln!("error: {what}");
        std::process::exit(1);
    });
    let (begun, over) = (Instant::now(), AtomicBool::new(false));
    let mut series: Vec<Sample> = Vec::new();
    let mut done = 0;
    for number in 1..=samples {
        let share = runs * number / samples - done;
        let crew = Crew { threads, seed: seed ^ number << 32, runs: share, over: &over, dog: &dog };
        done += mix.churn(&crew, false)?.runs;
        settle(&backend)?;
        let sample = Sample::take(done);
        data.add(sample.line().chain([("seconds", begun.elapsed().as_secs_f64().into())]))?;
        series.push(sample);
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{done} runs in {took:.0} s, {:.0} a second", done as f64 / took);
    verdict(&series)
}

/// Most sets of cgroups that a warden makes ahead.
const MADE_AHEAD: u64 = 8;

/// Waits until only the wardens are left beneath this process, and sandboxes that wait for a start.
fn settle(backend: &NamespaceSandbox) -> Result<(), Failure> {
    let (mut left, mut last) = (Vec::new(), None);
    let idle = soon(SETTLE, || {
        left = remaining(None);
        left.retain(|one| !one.is_warden());
        // Used cgroups are removed when there is nothing else to do.
        let census = backend.census().ok();
        let same = std::mem::replace(&mut last, census) == census;
        // A sandbox that waits is an init and what will be its program.
        let all_wait = |census: &Census| census.waiting * 2 == left.len() as u64;
        let no_used = |census: &Census| census.groups <= census.waiting + MADE_AHEAD;
        same && census.is_some_and(|it| it.runs == 0 && all_wait(&it) && no_used(&it))
    });
    match idle {
        Some(_) => Ok(()),
        None => Err(format!("still there: {left:?}, {:?}", backend.census()).into()),
    }
}

/// Prints what became of each measure, and fails if one has grown.
fn verdict(series: &[Sample]) -> Result<(), Failure> {
    println!(
        "\n{:26} {:>14} {:>14} {:>12} {:>12}",
        "second half", "from", "to", "growth", "allowed"
    );
    let mut grown = Vec::new();
    for (index, measure) in MEASURES.iter().enumerate() {
        let values = series
            .iter()
            .map(|sample| sample.values[index].map(|value| (sample.runs as f64, value as f64)));
        let Some(values) = values.collect::<Option<Vec<_>>>() else {
            println!("{:26} cannot be read here", measure.name);
            continue;
        };
        let judgement = judge(measure.law, &values).ok_or("too few samples to judge")?;
        let (from, to) = judgement.between;
        let mark = if judgement.is_flat() { "" } else { "  GROWS" };
        println!(
            "{:26} {from:>14.0} {to:>14.0} {:>12.0} {:>12.0}{mark}",
            measure.name, judgement.growth, judgement.allowed
        );
        if !judgement.is_flat() {
            grown.push(measure.name);
        }
    }
    match grown.as_slice() {
        [] => Ok(()),
        names => Err(format!("not flat: {}", names.join(", ")).into()),
    }
}
