//! `cargo xtask compat-test [--long]`: ordinary programs behave in a sandbox as they do outside.
//!
//! Each is run twice, outside and inside, as an ordinary user in both; exit status and output must be
//! the same. Of CPython's own test suite, what came of each test must be the same, except where a
//! difference is listed with its reason.

mod differences;
mod ground;
mod judge;
mod place;
mod programs;
mod suite;
#[cfg(test)]
mod tests;

use crate::test::build;
use crate::test::tally;
use crate::workspace::Metadata;
use crate::{Outcome, setup};
use ground::Ground;
use place::Place;
use std::time::Instant;

/// Whether the arguments ask for the long form.
fn is_long(arguments: &[&str]) -> Outcome<bool> {
    match arguments {
        [] => Ok(false),
        ["--long"] => Ok(true),
        other => Err(format!("compat-test takes --long or nothing, not: {}", other.join(" "))),
    }
}

/// Runs everything on both sides and fails where they differ.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let is_long = is_long(arguments)?;
    let mut clock = Clock(Vec::new());
    clock.time("setup", setup::for_compat);
    let metadata = Metadata::load()?;
    let built = clock.time("build", || build::run(&metadata))?;
    let cli = built.cli.as_deref().ok_or("the build made no `stockade`")?;
    let folder = metadata.target_directory.join("compat");
    let ground = clock.time("fetch", || Ground::provide(&folder))?;
    let place = clock.time("copy", || Place::new(cli, &ground))?;
    let programs = clock.time("programs", || programs::run(&place, &ground))?;
    let judge = clock.time("judge", || judge::run(&place))?;
    let suite = clock.time("cpython", || suite::run(&place, &ground, is_long))?;
    let tiers = vec![("programs", programs), ("judge", judge), ("cpython", suite)];
    let total = tally::summarize(tiers);
    println!("{}", clock.0.join(", "));
    if total.failed == 0 { Ok(()) } else { Err("the two sides differ".to_owned()) }
}

/// How long each part took.
struct Clock(Vec<String>);

impl Clock {
    fn time<T>(&mut self, part: &str, run: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = run();
        self.0.push(format!("{part} {} s", begun.elapsed().as_secs()));
        result
    }
}
