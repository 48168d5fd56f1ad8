//! Native programs: a plain process, and Stockade's sandboxes.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{EnforcementStatus, Prepared, Program, Report};

use super::mode;
use crate::Mode;
use crate::contenders::{Native, Walls, policy};
use crate::measure::{Ran, chain, measure, measure_child, measure_report, start, succeeded};
use crate::options::Session;
use crate::race::Entrant;
use crate::spawn::{PATIENCE, run_plainly, run_silently};

/// Sandboxes that wait, in the warm modes.
pub(crate) const SLOTS: usize = 8;
/// Starts without a pause between them.
const BATCH: u64 = 16;
/// How long is waited until all slots are full.
const FILLED: Duration = Duration::from_secs(10);

/// What is run: where it really is, since a link on the way would cost the plain process a lookup.
pub(crate) fn program() -> &'static str {
    const USUAL: &str = "/usr/bin/true";
    if std::path::Path::new(USUAL).exists() { USUAL } else { "/bin/true" }
}

/// What everything is compared with.
pub(crate) fn plain() -> Entrant<'static> {
    let mode = mode("plain", "plain process", "plain", "plain");
    let mode = Mode { note: Some(format!("{} by posix_spawn, and wait", program())), ..mode };
    Entrant::new(mode, || measure_child(|| run_plainly(&mut Command::new(program()))))
}

/// Runs a command without streams.
pub(crate) fn spawn(command: &mut Command) -> Result<Ran, String> {
    measure_child(|| run_silently(command, PATIENCE))
}

/// How a sandbox is used in a mode.
#[derive(Clone, Copy)]
enum Way {
    Cold,
    Prepared,
    Warm,
    Sustained,
}

/// Stockade's own, each with a helper of its own, so that its CPU time can be told.
pub(crate) fn entrants(session: &Session<'_>) -> Vec<Entrant<'static>> {
    let one = |id: &str, name: &str, note: &str, walls: Walls, way: Way| {
        one(session, (id, name, "warm", note), walls, way)
    };
    let all = Walls::All;
    let refilled = format!(
        "{SLOTS} sandboxes wait; between two runs it is waited until all do, which is not measured"
    );
    let sustained = format!(
        "{BATCH} runs without a pause, and until {SLOTS} sandboxes wait again; a sample is a {BATCH}th"
    );
    let step = "prepared before; this wall and those above it";
    vec![
        cold(session),
        prepared(session),
        one("namespace_warm", "stockade, waiting", &refilled, all, Way::Warm),
        one("namespace_sustained", "stockade, sustained", &sustained, all, Way::Sustained),
        one("wall_namespaces", "namespaces alone", step, Walls::Namespaces, Way::Prepared),
        one("wall_cgroups", "+ cgroups", step, Walls::Cgroups, Way::Prepared),
        one("wall_landlock", "+ Landlock", step, Walls::Landlock, Way::Prepared),
        one("wall_seccomp", "+ seccomp", step, Walls::All, Way::Prepared),
    ]
}

/// Everything anew for each run.
pub(crate) fn cold(session: &Session<'_>) -> Entrant<'static> {
    let words = ("namespace_cold", "stockade, cold", "cold", "prepared for each run");
    one(session, words, Walls::All, Way::Cold)
}

/// Prepared before.
pub(crate) fn prepared(session: &Session<'_>) -> Entrant<'static> {
    let words = ("namespace_prepared", "stockade, prepared", "warm", "prepared before");
    one(session, words, Walls::All, Way::Prepared)
}

fn one(
    session: &Session<'_>,
    (id, name, start, note): (&str, &str, &str, &str),
    walls: Walls,
    way: Way,
) -> Entrant<'static> {
    let mode = mode(id, name, "namespace", start);
    ready(session, Mode { note: Some(note.to_owned()), ..mode }, walls, way)
}

fn ready(session: &Session<'_>, mut mode: Mode, walls: Walls, way: Way) -> Entrant<'static> {
    mode.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let sandbox = match session.makers.native(walls) {
        Ok(sandbox) => sandbox,
        Err(error) => return Entrant::skipped(mode, chain(&error)),
    };
    let helper = sandbox.helper();
    let policy = policy(&*sandbox);
    let program = Program::executable(program());
    let tried = sandbox.prepare(&policy, &program).and_then(|prepared| {
        let report = start(&*prepared)?;
        Ok((prepared, report))
    });
    let (prepared, report) = match tried.map_err(|error| chain(&error)) {
        Ok((prepared, report)) => (prepared, report),
        Err(failure) => return Entrant::broken(mode, failure),
    };
    mode.walls = self::walls(&report);
    if let Err(failure) = succeeded(report) {
        return Entrant::broken(mode, failure);
    }
    let mut entrant = match way {
        Way::Cold => Entrant::new(mode, move || {
            let (report, mut ran) = measure_report(|| sandbox.run(&policy, &program))?;
            ran.phases.insert(0, ("prepare".to_owned(), report.timings.prepare_ns));
            Ok(ran)
        }),
        // The sandbox is kept for its helper.
        Way::Prepared => Entrant::new(mode, move || {
            let _keep = &sandbox;
            Ok(measure_report(|| start(&*prepared))?.1)
        }),
        Way::Warm | Way::Sustained if prepared.warm(SLOTS).is_err() => {
            return Entrant::broken(mode, "no sandbox can wait");
        }
        Way::Warm => Entrant::new(mode, move || warm(&*sandbox, &*prepared)),
        Way::Sustained => Entrant::new(mode, move || sustained(&*sandbox, &*prepared)),
    };
    entrant.helper = helper;
    entrant.batch = if let Way::Sustained = way { BATCH } else { 1 };
    entrant
}

/// One run in a sandbox that waited. All are there again when this returns, so that building them
/// disturbs nobody.
fn warm(sandbox: &dyn Native, prepared: &dyn Prepared) -> Result<Ran, String> {
    fill(sandbox)?;
    let (report, ran) = measure_report(|| start(prepared))?;
    fill(sandbox)?;
    if has_waited(&report) { Ok(ran) } else { Err("it found no sandbox that waits".to_owned()) }
}

/// Whether nothing was built in a run's time.
pub(crate) fn has_waited(report: &Report) -> bool {
    report.timings.phase("clone") == Some(0) && report.timings.phase("mounts") == Some(0)
}

fn sustained(sandbox: &dyn Native, prepared: &dyn Prepared) -> Result<Ran, String> {
    fill(sandbox)?;
    let ((), ran) = measure(|| {
        for _ in 0..BATCH {
            succeeded(start(prepared).map_err(|error| chain(&error))?)?;
        }
        fill(sandbox)
    })?;
    Ok(Ran { wall_ns: ran.wall_ns / BATCH, cpu_ns: ran.cpu_ns / BATCH, phases: Vec::new() })
}

/// Waits until all slots are full. It asks rarely, since the helper builds when nobody asks it
/// anything.
pub(crate) fn fill(sandbox: &dyn Native) -> Result<(), String> {
    let begun = Instant::now();
    while sandbox.waiting() < SLOTS {
        if begun.elapsed() > FILLED {
            return Err(format!("only {} of {SLOTS} sandboxes wait", sandbox.waiting()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The protection that stood in a run, as its receipt has it, each only once.
pub(crate) fn walls(report: &Report) -> Vec<String> {
    let mut walls: Vec<String> = Vec::new();
    for entry in report.enforcement.iter() {
        let wall = match (entry.status, &entry.mechanism) {
            (EnforcementStatus::NotEnforced, _) => continue,
            (EnforcementStatus::Approximated, Some(by)) => format!("{by} (approximated)"),
            (_, Some(by)) => by.clone(),
            (_, None) => entry.control.name().to_owned(),
        };
        if !walls.contains(&wall) {
            walls.push(wall);
        }
    }
    walls
}
