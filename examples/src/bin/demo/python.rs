//! A Python program nobody vouches for, on a real file, under the default policy.

use std::error::Error;
use std::fs;
use std::path::Path;

use stockade::{EnforcementStatus, Mount, Policy, Program, Report, Sandbox};
use stockade_examples::accept_approximations;

use crate::case::Outcome;
use crate::screen::Screen;
use crate::text;

const TABLE: &str = include_str!("../../../data/river_levels.csv");
const SCRIPT: &str = include_str!("../../../data/report.py");

/// Runs it and prints what it printed, its verdict, usage and receipt.
pub(crate) fn run(
    screen: &Screen,
    sandbox: &dyn Sandbox,
    home: &Path,
) -> Result<Outcome, Box<dyn Error>> {
    let table = home.join("river_levels.csv");
    fs::write(&table, TABLE)?;

    let mut policy = Policy::default();
    policy.filesystem.mounts = vec![
        Mount::read_only(&table, "/data/river_levels.csv"),
        Mount::file("/job/report.py", SCRIPT),
    ];
    let accepted = accept_approximations(&mut policy, sandbox);
    let words = ["/job/report.py", "/data/river_levels.csv"];
    let program = Program::executable("python3").args(words);

    screen.heading("1  A Python program nobody vouches for, on a real file");
    screen.note("python3 /job/report.py /data/river_levels.csv");
    screen
        .note("default policy: no network, 256 MiB, 10 s CPU, 64 processes; the file is read-only");
    if !accepted.is_empty() {
        let names: Vec<&str> = accepted.iter().map(|control| control.name()).collect();
        let names = names.join(", ");
        screen.note(&format!("accepted, since this user has no cgroups here: {names} are sampled"));
    }
    let report = sandbox.run(&policy, &program)?;
    screen.blank();
    screen.quote(&String::from_utf8_lossy(&report.stdout));
    screen.quote(&String::from_utf8_lossy(&report.stderr));
    screen.blank();
    let outcome = judge(&report);
    account(screen, &report, outcome);
    receipt(screen, &report);
    Ok(outcome)
}

fn judge(report: &Report) -> Outcome {
    let said = String::from_utf8_lossy(&report.stdout);
    let good = report.verdict.success() && said.lines().count() > 5 && !said.contains("it worked");
    if good { Outcome::Passed } else { Outcome::Failed }
}

fn account(screen: &Screen, report: &Report, outcome: Outcome) {
    let (usage, timings) = (&report.usage, &report.timings);
    let verdict = text::verdict(&report.verdict);
    screen.field("verdict", &format!("{verdict} {}", screen.mark(outcome)));
    let used = format!(
        "{} wall, {} CPU, {} memory at most, {} printed",
        text::time(usage.wall_ns),
        text::time(usage.cpu_ns()),
        text::size(usage.peak_memory),
        text::size(usage.stdout_bytes),
    );
    screen.field("usage", &used);
    let took = format!(
        "{} to prepare, {} to start, {} from its end until all was gone",
        text::time(timings.prepare_ns),
        text::time(timings.start_ns),
        text::time(timings.teardown_ns),
    );
    screen.field("overhead", &took);
}

/// What enforced each control, as the kernel has answered.
fn receipt(screen: &Screen, report: &Report) {
    screen.field("receipt", "as the kernel has answered");
    for entry in report.enforcement.iter() {
        let told = match entry.status {
            EnforcementStatus::NotEnforced => &entry.reason,
            _ => &entry.mechanism,
        };
        let told = told.as_deref().unwrap_or("nothing");
        screen.entry(entry.control.name(), &entry.status.to_string(), told);
    }
}
