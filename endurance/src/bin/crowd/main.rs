//! Has a great many sandboxes alive at once, and starts, stops and drops them from many threads.
//!
//! `cargo run --release -p stockade-endurance --bin crowd -- [--native 1000] [--modules 10000]
//! [--for 10s] [--threads 8] [--hammers 4] [--seed N]`
//!
//! All the while other threads hammer on the allocator, whose memory is poisoned when it is freed
//! (`MALLOC_PERTURB_`, mallopt(3)): a process that was forked from this one with a lock held, or
//! used memory that was freed, would show. What does not end in two minutes is taken to hang.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it does")]

mod hammer;
mod modules;
mod natives;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getpid, getrlimit, set_child_subreaper, setrlimit};
use stockade::{NamespaceSandbox, WasmSandbox};
use stockade_endurance::mix::{Crew, Mix};
use stockade_endurance::traces::remaining;
use stockade_endurance::{Failure, Options, Watchdog, native, soon};

/// What takes longer will never end.
const PATIENCE: Duration = Duration::from_secs(120);
/// See mallopt(3), `M_PERTURB`.
const PERTURB: &str = "MALLOC_PERTURB_";

fn main() -> ExitCode {
    if std::env::var_os(PERTURB).is_none() {
        // The C library looks at it when a process starts.
        let mut again = Command::new("/proc/self/exe");
        let error = again.args(std::env::args_os().skip(1)).env(PERTURB, "165").exec();
        eprintln!("error: starting once more with {PERTURB}: {error}");
        return ExitCode::FAILURE;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How much there is to be of everything.
struct Wanted {
    threads: u64,
    hammers: u64,
    seed: u64,
    time: Duration,
}

fn run() -> Result<(), Failure> {
    let known = ["native", "modules", "for", "threads", "hammers", "seed"];
    let options = Options::read(&known)?;
    let (natives, modules) = (options.number("native", 1000)?, options.number("modules", 10_000)?);
    let wanted = Wanted {
        threads: options.number("threads", 8)?,
        hammers: options.number("hammers", 4)?,
        seed: options.seed()?,
        time: options.time("for", Duration::from_secs(10))?,
    };
    // Wardens, and what one leaves behind, are then beneath this process.
    set_child_subreaper(Some(getpid()))?;
    let backend = match native("crowd")? {
        Ok(backend) => backend,
        Err(skip) => {
            println!("{skip}");
            return Ok(());
        }
    };
    as_many_descriptors_as_allowed()?;
    println!("seed {}, {} threads, {} hammers", wanted.seed, wanted.threads, wanted.hammers);
    let wasm = WasmSandbox::new()?;

    #[expect(clippy::exit, reason = "a thread that hangs cannot be asked to end")]
    let dog = Watchdog::new(PATIENCE, |what| {
        eprintln!("error: {what}");
        std::process::exit(1);
    });
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..wanted.hammers {
            let (over, seed) = (&over, wanted.seed);
            scope.spawn(move || hammer::swing(over, seed, number));
        }
        let result = phases(&backend, &wasm, [natives, modules], &wanted, &dog);
        over.store(true, Ordering::Relaxed);
        result
    })
}

fn phases(
    backend: &NamespaceSandbox,
    wasm: &WasmSandbox,
    [natives, modules]: [u64; 2],
    wanted: &Wanted,
    dog: &Watchdog,
) -> Result<(), Failure> {
    if natives > 0 {
        natives::crowd(backend, natives, wanted, dog)?;
        empty(backend)?;
    }
    if modules > 0 {
        modules::crowd(wasm, modules, wanted, dog)?;
    }

    let mut mix = Mix::default();
    mix.add_native(backend)?;
    mix.add_modules(wasm)?;
    let (begun, over) = (Instant::now(), AtomicBool::new(false));
    let crew =
        Crew { threads: wanted.threads, seed: wanted.seed, runs: u64::MAX, over: &over, dog };
    let churned = thread::scope(|scope| {
        let churning = scope.spawn(|| mix.churn(&crew, false));
        while begun.elapsed() < wanted.time && !churning.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        churning.join().map_err(|_| "a thread panicked")?
    })?;
    println!("{} mixed runs in {:.0} s, none hung", churned.runs, begun.elapsed().as_secs_f64());
    drop(mix);
    empty(backend)
}

/// Waits until only wardens are left.
fn empty(backend: &NamespaceSandbox) -> Result<(), Failure> {
    let mut left = Vec::new();
    let gone = soon(Duration::from_secs(20), || {
        left = remaining(None);
        left.retain(|one| !one.is_warden());
        left.is_empty() && backend.census().is_ok_and(|census| census.runs == 0)
    });
    match gone {
        Some(_) => Ok(()),
        None => {
            let (count, few) = (left.len(), left.iter().take(5).collect::<Vec<_>>());
            Err(format!("{count} processes are left: {few:?}; {:?}", backend.census()).into())
        }
    }
}

/// A live run takes up to five descriptors of its host.
fn as_many_descriptors_as_allowed() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// The share of `total` that falls to one of `threads`.
fn share(total: u64, threads: u64, thread: u64) -> u64 {
    total * (thread + 1) / threads - total * thread / threads
}
