//! Runs a great many programs where process ids are scarce, many of which have to be killed, and
//! looks whether a process is hit that has nothing to do with them.
//!
//! `cargo run --release -p stockade-endurance --bin pids -- [--runs 10000] [--threads 3] [--ids 200]
//! [--stay 16] [--seed N]`
//!
//! It moves into a pid namespace that gives out no more than `--ids` numbers, so that one which has
//! become free is somebody else's a moment later. Processes come and go there all the while, and
//! `--stay` of them stay: each must end by itself. Before that it kills one by a number that another
//! had, as a kill that comes too late would, and must notice it.
//!
//! A pid namespace has a bound of its own since Linux 6.14; before, the machine's would be changed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it does")]

mod foreign;

use std::fs;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use stockade_endurance::mix::{Churned, Crew, Mix};
use stockade_endurance::{Failure, Options, Random, Watchdog, native};

use foreign::{Passed, come_and_go, prove};

/// A run that takes longer will never end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Set in the process that lives in the namespace.
const INSIDE: &str = "STOCKADE_PIDS_INSIDE";
/// The highest id there is, plus one; proc(5).
const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// The first ids are given out only once; `RESERVED_PIDS` in the kernel's source.
const RESERVED: u64 = 300;
/// Threads that start processes of no sandbox.
const STARTERS: u64 = 2;

fn main() -> ExitCode {
    let result = if std::env::var_os(INSIDE).is_some() { inside() } else { outside() };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program once more in a pid namespace.
fn outside() -> Result<ExitCode, Failure> {
    if let Err(skip) = native("pids")? {
        println!("{skip}");
        return Ok(ExitCode::SUCCESS);
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    if version(&release) < Some((6, 14)) {
        println!("SKIP: pids: Linux {} has one bound of process ids for all", release.trim());
        return Ok(ExitCode::SUCCESS);
    }
    let before = fs::read_to_string(PID_MAX)?;
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    let status = command.status().map_err(|error| format!("unshare(1): {error}"))?;
    if fs::read_to_string(PID_MAX)? != before {
        fs::write(PID_MAX, before)?;
        return Err("the bound of the whole machine was changed, and is set back".into());
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The two numbers that a kernel's release begins with.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.trim().split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn inside() -> Result<ExitCode, Failure> {
    let options = Options::read(&["runs", "threads", "ids", "stay", "seed"])?;
    let (runs, threads) = (options.number("runs", 10_000)?, options.number("threads", 3)?);
    let (ids, stay) = (options.number("ids", 200)?, options.number("stay", 16)?);
    let seed = options.seed()?;
    let bound = RESERVED + ids;
    fs::write(PID_MAX, bound.to_string()).map_err(|error| format!("{PID_MAX}: {error}"))?;
    println!("{runs} runs, {threads} threads, ids {RESERVED} to {}, seed {seed}", bound - 1);
    prove(bound)?;

    let backend = native("pids")??;
    let mut mix = Mix::default();
    mix.add_native(&backend)?;
    #[expect(clippy::exit, reason = "a thread that hangs cannot be asked to end")]
    let dog = Watchdog::new(PATIENCE, |what| {
        eprintln!("error: {what}");
        std::process::exit(1);
    });
    let (begun, over) = (Instant::now(), AtomicBool::new(false));
    let (churned, passed) = thread::scope(|scope| {
        let starters: Vec<_> = (0..STARTERS)
            .map(|number| {
                let (over, random) = (&over, Random::new(!seed, number));
                let stay = stay * (number + 1) / STARTERS - stay * number / STARTERS;
                scope.spawn(move || {
                    let passed = come_and_go(stay, random, over);
                    // There is nothing more to be found out.
                    over.store(true, Ordering::Relaxed);
                    passed
                })
            })
            .collect();
        let churned = mix.churn(&Crew { threads, seed, runs, over: &over, dog: &dog }, false);
        over.store(true, Ordering::Relaxed);
        let passed = starters.into_iter().map(|one| one.join().unwrap_or(Err("panicked".into())));
        (churned, passed.collect::<Vec<_>>())
    });
    tell(churned, passed, begun.elapsed())
}

/// Says what happened; fails if any process of no sandbox was hit, or a run went wrong.
fn tell(
    churned: Result<Churned, Failure>,
    passed: Vec<Result<Passed, Failure>>,
    took: Duration,
) -> Result<ExitCode, Failure> {
    // Who was hit comes first: a run may have gone wrong by the same mistake.
    let passed = passed.into_iter().collect::<Result<Vec<_>, _>>()?;
    let churned = churned?;
    let kinds: Vec<_> =
        churned.kinds.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let sum = |count: fn(&Passed) -> u64| passed.iter().map(count).sum::<u64>();
    println!("{} runs in {:.0} s: {}", churned.runs, took.as_secs_f64(), kinds.join(", "));
    println!(
        "{} other processes came and went, {} stayed; their ids began anew {} times or more; each \
         ended by itself",
        sum(|one| one.went),
        sum(|one| one.stayed),
        passed.iter().map(|one| one.rounds).max().unwrap_or(0),
    );
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        assert!(version("6.9.0-generic\n") < Some((6, 14)));
        assert!(version("6.14-rc1\n") >= Some((6, 14)));
        assert!(version("6.18.44-fc-v657\n") >= Some((6, 14)));
        assert!(version("unknown") < Some((6, 14)));
    }
}
