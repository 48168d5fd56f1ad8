//! `cargo xtask vm-test`: the namespace backend inside a virtual machine, on a host of another kind
//! than this one: an older kernel, cgroup version 2 and nothing else, an ordinary user.
//!
//! The machine is emulated, so that it needs no privilege, and has no network. It boots Debian's
//! cloud kernel, which has all its drivers built in, from a disk that holds the test binaries, the
//! libraries they are linked with, busybox and Python. The last tests are run under systemd, to
//! which the machine is handed over.

mod debian;
mod disk;
mod kernel;
mod machine;
mod manager;
mod results;
#[cfg(test)]
mod tests;

pub(crate) use disk::mkfs;
pub(crate) use machine::EMULATOR;

use crate::test::{build, tally};
use crate::workspace::Metadata;
use crate::{Outcome, setup};
use machine::Machine;
use results::Results;
use std::time::{Duration, Instant};

/// Who runs the tests inside, in the words of `vm/inside.sh` and `vm/managed.sh`, and in words for the reader.
const TIERS: [(&str, &str); 5] = [
    ("root", "root"),
    ("user", "user"),
    ("bare", "user without delegation"),
    ("session", "root under systemd"),
    ("login", "user under systemd"),
];

/// A multiple of what it takes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(2400);

/// Builds, boots, and counts what was tested inside.
pub(crate) fn run() -> Outcome {
    if cfg!(not(target_arch = "x86_64")) {
        return Err("the virtual machine is known for x86-64 hosts only".to_owned());
    }
    setup::run()?;
    setup::for_machine()?;
    let metadata = Metadata::load()?;
    let built = build::run(&metadata)?;
    let begun = Instant::now();
    let folder = metadata.target_directory.join("vm");
    let (kernel, overlay) = kernel::image(&folder)?;
    let systemd = manager::unpacked(&folder)?;
    let disk = disk::make(&folder, &overlay, &systemd, &built)?;
    let mut machine = Machine::boot(&kernel, &disk, &folder.join("console.log"), PATIENCE)?;
    let mut results = Results::default();
    while let Some(line) = machine.line() {
        if results.read(&line) {
            println!("{line}");
        }
    }
    let complaint = machine.end();
    println!("vm: {} s from disk to power-off: {}", begun.elapsed().as_secs(), results.times());
    judge(results, complaint)
}

/// Prints what came of each tier; all of them must have run tests, and none may have failed.
fn judge(results: Results, complaint: Option<String>) -> Outcome {
    let is_done = results.is_done();
    let mut tallies = results.finish();
    let mut tiers = Vec::new();
    let mut counts = Vec::new();
    let mut sum = 0;
    let mut idle = Vec::new();
    for (name, words) in TIERS {
        let tally = tallies.remove(name).unwrap_or_default();
        let ran = tally.passed + tally.failed;
        if ran == 0 {
            idle.push(words);
        }
        sum += ran;
        counts.push(format!("{words} {ran}"));
        tiers.push((name, tally));
    }
    let total = tally::summarize(tiers);
    println!("vm: {sum} tests ran inside ({})", counts.join(", "));
    if let Some(complaint) = complaint {
        return Err(complaint);
    }
    if !is_done {
        return Err("the virtual machine went away before its tests had ended".to_owned());
    }
    if !idle.is_empty() {
        return Err(format!("no test ran inside as {}", idle.join(", ")));
    }
    if total.failed == 0 { Ok(()) } else { Err("there are failed tests inside".to_owned()) }
}
