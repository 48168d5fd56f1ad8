//! What does a run cost? Prints, alternating in one run: a plain spawn, a run of something
//! prepared, a run with its preparation, and bubblewrap if it is installed; then the first two
//! again while this process holds much memory and many threads; then what a sandbox holds.
//!
//! Usage: `spawn [ROUNDS=300]`
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod ballast;
mod contenders;
mod footprint;
mod phases;

use std::env;
use std::error::Error;

use stockade::{Ability, Control, NamespaceSandbox, Policy, Sandbox};
use stockade_benches::{Machine, Times};

use ballast::{Ballast, Work};
use contenders::Contenders;
use phases::Phases;

const ROUNDS: usize = 300;
/// Rounds that are not counted, in which pools fill and caches warm.
const WARM_UP: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = env::args().nth(1).map_or(Ok(ROUNDS), |text| text.parse())?;
    println!("{}; n = {rounds}, alternating", Machine::look());

    let sandbox = NamespaceSandbox::new()?;
    let mut policy = Policy::default();
    approximate(&mut policy, &sandbox);
    let contenders = Contenders::new(&sandbox, policy)?;
    let mut phases = Phases::default();

    println!("\n/usr/bin/true, default policy, captured streams");
    let all = alternate(rounds, &contenders.names(), |which| contenders.run(which, &mut phases));
    table(&all);
    println!("\nsteps of a prepared run, medians");
    phases.print();

    flatness(rounds, &contenders, &all)?;
    footprint::print(&sandbox)?;
    println!("\n{}", Machine::look());
    Ok(())
}

/// Accepts what an ordinary user without cgroups gets.
fn approximate(policy: &mut Policy, sandbox: &dyn Sandbox) {
    for control in [Control::Memory, Control::CpuTime, Control::Processes] {
        if let Ability::Approximated { mechanism, .. } = sandbox.support().ability(control) {
            println!("{control} is only approximated here, by {mechanism}");
            policy.best_effort.insert(control);
        }
    }
}

/// Runs each in turn, many times over.
fn alternate(
    rounds: usize,
    names: &[&'static str],
    mut run: impl FnMut(usize) -> Result<std::time::Duration, String>,
) -> Vec<(&'static str, Times)> {
    let mut all: Vec<_> = names.iter().map(|name| (*name, Times::default())).collect();
    for round in 0..WARM_UP + rounds {
        for (which, (_, times)) in all.iter_mut().enumerate() {
            let outcome = run(which);
            if round >= WARM_UP {
                times.add(outcome);
            }
        }
    }
    all
}

fn table(all: &[(&str, Times)]) {
    println!("{:34} {:>9} {:>9} {:>9} {:>8}", "", "p50", "p90", "p99", "ratio");
    for (name, times) in all {
        let shown = [50, 90, 99].map(|percent| milliseconds(times.percentile(percent)));
        let [p50, p90, p99] = shown;
        println!("{name:34} {p50:>9} {p90:>9} {p99:>9} {:>7.2}x", times.ratio(&all[0].1));
        if let Some(failure) = &times.failure {
            println!("{:34} {} failed: {failure}", "", times.failures);
        }
    }
}

fn milliseconds(time: std::time::Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// The first two contenders once more, in a large process.
fn flatness(
    rounds: usize,
    contenders: &Contenders<'_>,
    small: &[(&'static str, Times)],
) -> Result<(), Box<dyn Error>> {
    let names = contenders.names();
    for work in [Work::None, Work::Little] {
        let ballast = Ballast::new(work);
        println!("\nthe same while this process holds {ballast}");
        let mut ignored = Phases::default();
        let large = alternate(rounds, &names[..2], |which| contenders.run(which, &mut ignored));
        table(&large);
        for ((name, small), (_, large)) in small.iter().zip(&large) {
            println!("{name:34} {:.2}x as long as in a small process", large.ratio(small));
        }
        drop(ballast);
    }
    Ok(())
}
