//! `cargo xtask test`: every test this machine can run, with a count of what it cannot.

pub(crate) mod build;
mod c;
mod programs;
pub(crate) mod python;
pub(crate) mod rootless;
pub(crate) mod tally;
#[cfg(test)]
mod tests;

use crate::workspace::Metadata;
use crate::{Outcome, command, host, runtimes, setup};
use std::env;
use std::io::{BufRead, BufReader, pipe};
use std::process::{Command, Stdio};
use tally::{Reader, Tally};

/// The variable that declares what the host must offer; a test of anything else may be skipped.
pub(crate) const EXPECT: &str = "STOCKADE_TEST_EXPECT";

/// Runs the tiers, prints the summary, and fails if anything failed.
pub(crate) fn run() -> Outcome {
    setup::run()?;
    setup::for_images();
    setup::for_engines();
    let metadata = Metadata::load()?;
    let built = build::run(&metadata)?;
    if let Some(stockade) = &built.cli {
        runtimes::install(stockade);
    }

    let expect = env::var(EXPECT).unwrap_or_else(|_| host::features(None));
    let mut tiers = vec![
        (if host::is_root() { "root" } else { "rootless" }, workspace(&expect)?),
        ("examples", programs::run(&built.examples, &expect)),
        ("endurance", programs::endure(&built.endurance, &expect)),
    ];
    if host::is_root() {
        tiers.push(("rootless", rootless::run(&built)?));
    } else {
        let mut tally = Tally::default();
        tally.skip("root tier", "this process does not run as root");
        tiers.push(("root", tally));
    }

    tiers.extend(python::run(&metadata, &expect)?);
    tiers.extend(c::run(&metadata, &expect)?);

    let total = tally::summarize(tiers);
    if total.failed == 0 { Ok(()) } else { Err("there are failed tests".to_owned()) }
}

/// Runs the tiers of the Python package alone.
pub(crate) fn run_python() -> Outcome {
    setup::run()?;
    let expect = env::var(EXPECT).unwrap_or_else(|_| host::features(None));
    let total = tally::summarize(python::run(&Metadata::load()?, &expect)?);
    if total.failed == 0 { Ok(()) } else { Err("there are failed tests".to_owned()) }
}

/// Runs the tiers of the C library alone.
pub(crate) fn run_c() -> Outcome {
    let expect = env::var(EXPECT).unwrap_or_else(|_| host::features(None));
    let total = tally::summarize(c::run(&Metadata::load()?, &expect)?);
    if total.failed == 0 { Ok(()) } else { Err("there are failed tests".to_owned()) }
}

/// Every test of the workspace, the documentation's examples among them.
fn workspace(expect: &str) -> Outcome<Tally> {
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"];
    let mut command = command::cargo(&arguments);
    command.env(EXPECT, expect).env("XDG_CACHE_HOME", runtimes::cache());
    watch(&mut command, expect)
}

/// Runs a command that prints as test binaries do, shows what matters, and counts.
pub(crate) fn watch(command: &mut Command, expect: &str) -> Outcome<Tally> {
    let line = command::line(command);
    println!("$ {EXPECT}={expect} {line}");
    let failure = |error| format!("cannot run `{line}`: {error}");
    // One pipe for both streams keeps their lines in order.
    let (output, input) = pipe().map_err(failure)?;
    command.stdin(Stdio::null()).stdout(input.try_clone().map_err(failure)?).stderr(input);
    let mut child = command.spawn().map_err(failure)?;
    // Our copies of the pipe's writing end would keep it open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut reader = Reader::default();
    // Split by bytes: what a guest prints need not be UTF-8.
    for bytes in BufReader::new(output).split(b'\n') {
        let text = String::from_utf8_lossy(&bytes.map_err(failure)?).into_owned();
        if reader.read(&text) {
            println!("{text}");
        }
    }
    let status = child.wait().map_err(failure)?;
    let mut tally = reader.finish();
    if !status.success() && tally.failed == 0 {
        println!("`{line}` ended without a result: {status}");
        tally.failed = 1;
    }
    Ok(tally)
}
