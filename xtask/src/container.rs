//! `cargo xtask container-test`: both backends inside unprivileged containers, as container engines
//! start them.

mod bubblewrap;
mod check;
mod docker;
#[cfg(test)]
mod tests;

use crate::test::build::{self, Built};
use crate::test::rootless::Stage;
use crate::test::tally::{self, Tally};
use crate::test::{EXPECT, watch};
use crate::workspace::Metadata;
use crate::{Outcome, command};
use bubblewrap::Container;
use check::Check;
use std::fs;

/// What runs in one kind of container.
struct Tier {
    container: Container,
    /// What this container must offer to tests.
    expect: &'static str,
    /// Test executables, each with arguments that choose its tests.
    suites: &'static [(&'static str, &'static [&'static str])],
    checks: &'static [Check],
}

/// The tests of modules, without those which compare with a native program.
const MODULES: [&str; 5] =
    ["wasm::", "--skip", "backend_that_does_not_suit", "--skip", "is_a_native_program"];

const TIERS: [Tier; 3] = [
    Tier {
        container: Container { name: "docker", is_masked: true, is_filtered: true },
        expect: "",
        suites: &[("stockade-wasm-it", &[]), ("stockade-cli-it", &MODULES)],
        checks: &check::FILTERED,
    },
    Tier {
        container: Container { name: "no filter", is_masked: true, is_filtered: false },
        expect: "userns,landlock",
        suites: &[("stockade-namespace-it", &[])],
        checks: &check::MASKED,
    },
    Tier {
        container: Container { name: "unconfined", is_masked: false, is_filtered: false },
        expect: "userns,landlock,proc",
        suites: &[("stockade-namespace-it", &[]), ("stockade-cli-it", &[])],
        checks: &check::OPEN,
    },
];

/// Starts every kind of container, and fails if anything in one does, or if nothing ran.
pub(crate) fn run() -> Outcome {
    let bwrap = command::find("bwrap", &[]).ok_or("no bwrap; run: cargo xtask setup")?;
    let built = build::run(&Metadata::load()?)?;
    let stage = Stage::new().map_err(|error| format!("a folder for the containers: {error}"))?;
    let filter = stage.folder().join("docker.bpf");
    fs::write(&filter, docker::filter()).map_err(|error| format!("the filter: {error}"))?;

    let cli = built.cli.as_deref().ok_or("the build made no `stockade`")?;
    let place = bubblewrap::Place { bwrap, filter, app: stage.folder().to_owned() };
    stage.copy("stockade", cli)?;
    let mut tiers = Vec::new();
    for tier in &TIERS {
        tiers.push((tier.container.name, enter(tier, &place, &stage, &built)?));
    }
    let names: Vec<&str> = tiers.iter().map(|(name, _)| *name).collect();
    let total = tally::summarize(tiers);
    println!("container: {} tests ran inside ({})", total.passed + total.failed, names.join(", "));
    if total.failed == 0 { Ok(()) } else { Err("there are failed tests".to_owned()) }
}

/// Everything that belongs into one container, each piece in a fresh one.
fn enter(tier: &Tier, place: &bubblewrap::Place, stage: &Stage, built: &Built) -> Outcome<Tally> {
    let name = tier.container.name;
    println!("\ncontainer: {name}");
    command::run(&mut tier.container.command(place, &["/bin/true"]))
        .map_err(|error| format!("this machine starts no unprivileged container: {error}"))?;
    let mut tally = Tally::default();
    for check in tier.checks {
        let words = [&["/app/stockade"], check.arguments].concat();
        check.examine(&mut tier.container.command(place, &words), &mut tally);
    }
    for (suite, choice) in tier.suites {
        let file = built.rootless.get(*suite).ok_or(format!("the build made no {suite}"))?;
        stage.copy(suite, file)?;
        let program = format!("/app/{suite}");
        let words = [&[program.as_str(), "--show-output"], *choice].concat();
        let mut command = tier.container.command(place, &words);
        command.env(EXPECT, tier.expect);
        let ran = watch(&mut command, tier.expect)?;
        if ran.passed + ran.failed == 0 {
            return Err(format!("no test of {suite} ran in the container `{name}`"));
        }
        tally.add(ran);
    }
    Ok(tally)
}
