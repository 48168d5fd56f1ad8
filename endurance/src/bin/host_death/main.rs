//! Kills hosts and wardens at random moments, and looks for what is left of them.
//!
//! `cargo run --release -p stockade-endurance --bin host_death -- [--times 30] [--seed N]
//! [--within 1s] [--data FILE]`
//!
//! Each time a host process is started that keeps sandboxes of many kinds busy. Then it, or its
//! warden, is killed or stopped. Within the time given no process, cgroup, mount, memfd or
//! temporary file of it is there any more; at the end the kernel has as many namespaces as before.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it does")]

mod blow;
mod host;
mod kernel;
mod victim;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, set_child_subreaper};
use stockade::NamespaceSandbox;
use stockade_endurance::traces::remaining;
use stockade_endurance::{Failure, Options, Random, Record, native, soon};

use blow::{Blow, Outcome};
use victim::signal;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let result = match words.get(1).map(String::as_str) {
        Some("host") => host::act(words.get(2).map_or("", String::as_str)),
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What has become of the blows so far.
#[derive(Default)]
struct Score {
    blows: BTreeMap<&'static str, u64>,
    /// How long it took until nothing was left, in milliseconds.
    gone: Vec<f64>,
    /// Processes alive at the moment of the blow.
    most: usize,
    swept: u64,
    failures: Vec<String>,
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["times", "seed", "within", "data"])?;
    let (times, seed) = (options.number("times", 30)?, options.seed()?);
    let within = options.time("within", Duration::from_secs(1))?;
    let mut data = options.data()?;
    // What a dead host leaves is then beneath this process.
    set_child_subreaper(Some(getpid()))?;
    if let Err(skip) = native("host_death")? {
        println!("{skip}");
        return Ok(());
    }
    println!("{times} blows, seed {seed}");

    let before = kernel::Namespaces::count();
    let scratch = Scratch::new()?;
    let mut score = Score::default();
    let begun = Instant::now();
    for number in 0..times {
        let mut random = Random::new(seed, number);
        let blow = Blow::draw(&mut random);
        let outcome = blow.strike(&scratch.0, within, &mut random);
        score.note(number, blow, outcome, &mut data)?;
    }
    let after = kernel::Namespaces::count();
    println!("{} in {:.1?}\n{}", score.summary(), begun.elapsed(), after.since(&before));
    for leak in after.leaked(&before, times) {
        println!("{leak}");
        score.failures.push(leak);
    }
    match score.failures.as_slice() {
        [] => Ok(()),
        failures => Err(format!("{} failed", failures.len()).into()),
    }
}

impl Score {
    fn note(
        &mut self,
        number: u64,
        blow: Blow,
        outcome: Result<Outcome, Failure>,
        data: &mut Record,
    ) -> Result<(), Failure> {
        let name = blow.name();
        *self.blows.entry(name).or_default() += 1;
        match outcome {
            Ok(outcome) => {
                let gone = outcome.gone.as_secs_f64() * 1000.0;
                if !outcome.swept {
                    self.gone.push(gone);
                }
                self.most = self.most.max(outcome.processes);
                self.swept += u64::from(outcome.swept);
                data.add([
                    ("number", number.into()),
                    ("blow", name.into()),
                    ("moment_ms", (outcome.moment.as_secs_f64() * 1000.0).into()),
                    ("processes", outcome.processes.into()),
                    ("gone_ms", gone.into()),
                    ("settled", outcome.settled.into()),
                    ("swept", outcome.swept.into()),
                ])
            }
            Err(error) => {
                println!("number {number}, {name}: {error}");
                clean_up()?;
                self.failures.push(format!("number {number}, {name}: {error}"));
                data.add([
                    ("number", number.into()),
                    ("blow", name.into()),
                    ("failure", error.to_string().into()),
                ])
            }
        }
    }

    fn summary(&mut self) -> String {
        self.gone.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (self.gone.len() as f64 * share) as usize;
            self.gone.get(index.min(self.gone.len().saturating_sub(1))).copied().unwrap_or(0.0)
        };
        let kinds: Vec<_> =
            self.blows.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!(
            "{}: {} failed\nup to {} processes were there; nothing was left after {:.0} ms (p50), \
             {:.0} ms (p99), {:.0} ms (max)\n{} times, empty cgroups were left to the next host, \
             which removed them\ndone",
            kinds.join(", "),
            self.failures.len(),
            self.most,
            at(0.5),
            at(0.99),
            at(1.0),
            self.swept,
        )
    }
}

/// Ends what a blow has left, so that the next one does not find it.
fn clean_up() -> Result<(), Failure> {
    let gone = soon(Duration::from_secs(10), || {
        let left = remaining(None);
        for process in &left {
            // One that has ended meanwhile is not anybody else's: it was not reaped.
            let _ = signal(process.id, Signal::KILL);
        }
        left.is_empty()
    });
    // A new host removes the cgroups of dead ones.
    drop(NamespaceSandbox::new()?);
    gone.map(|_| ()).ok_or_else(|| format!("cannot be ended: {:?}", remaining(None)).into())
}

/// A directory for the temporary files of hosts, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let name = format!("stockade-host-death-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An empty directory in `place`.
fn empty_directory(place: &Path) -> Result<PathBuf, Failure> {
    let path = place.join("temporary");
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir(&path)?;
    Ok(path)
}
