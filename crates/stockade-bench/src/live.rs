//! Many alive at once: how long the next start takes, and what each holds.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Execution, Limit, Mount, Prepared, Program, Result as SandboxResult, Stdio};

use crate::contenders::{Native, Walls, policy};
use crate::machine::kibibytes;
use crate::measure::{chain, nanos, start, succeeded};
use crate::modes::native;
use crate::options::Session;
use crate::series::{add, point};
use crate::{COUNTER, Footprint, HELLO, Series, Stopped, WORK};

const SANDBOXES: [usize; 4] = [1, 10, 100, 1000];
const INSTANCES: [usize; 4] = [1, 100, 1000, 10_000];
/// How many of the processes are looked at.
const LOOKED_AT: usize = 100;
/// Until the last that was started is past its start.
const SETTLE: Duration = Duration::from_millis(300);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What `x` is.
const LIVE: &str = "live sandboxes";

/// Measures both backends.
pub(crate) fn measure(session: &Session<'_>) -> Result<(Vec<Series>, Vec<Footprint>), Stopped> {
    let (mut series, mut footprints) = (Vec::new(), Vec::new());
    if let Ok(sandbox) = session.makers.native(Walls::All) {
        footprints.extend(processes(session, &*sandbox, &mut series)?);
    }
    footprints.extend(instances(session, &mut series)?);
    Ok((series, footprints))
}

fn processes(
    session: &Session<'_>,
    sandbox: &dyn Native,
    series: &mut Vec<Series>,
) -> Result<Option<Footprint>, Stopped> {
    let mut policy = policy(sandbox);
    let program = Program::executable(native::program());
    let mut patient = policy.clone();
    patient.filesystem.mounts.push(Mount::file("/work", WORK));
    patient.limits.wall_time = Limit::Unlimited;
    let sleeper = sandbox.prepare(&patient, &Program::executable("/work").args(["sleep"]));
    policy.best_effort = patient.best_effort;
    let (Ok(sleeper), Ok(prepared)) = (sleeper, sandbox.prepare(&policy, &program)) else {
        return Ok(None);
    };
    let counts = if session.options.quick { &SANDBOXES[..2] } else { &SANDBOXES[..] };
    let rounds = session.count(100, 10);
    let mut alive: Vec<Box<dyn Execution>> = Vec::new();
    let idle = sandbox.helper().and_then(pss);
    for &count in counts {
        fill(session, &*sleeper, &mut alive, count)?;
        if alive.len() < count {
            break;
        }
        if let Err(failure) = settle(sandbox, count) {
            session.failed("namespace_cold", &format!("with {count} alive"), &failure);
            break;
        }
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            session.progress.at("the next start", cold.len(), rounds)?;
            let at = format!("with {count} alive");
            match timed(|| sandbox.run(&policy, &program)) {
                Ok(ns) => cold.push(ns),
                Err(failure) => session.failed("namespace_cold", &at, &failure),
            }
            match timed(|| start(&*prepared)) {
                Ok(ns) => warm.push(ns),
                Err(failure) => session.failed("namespace_prepared", &at, &failure),
            }
        }
        for (mode, samples) in [("namespace_cold", cold), ("namespace_prepared", warm)] {
            if let Some(point) = point(count as u64, &samples) {
                add(series, mode, LIVE, point);
            }
        }
    }
    let footprint = sandbox.helper().and_then(|helper| held(helper, idle, alive.len()));
    session.progress.at("ending them", 0, 1)?;
    drop(alive);
    Ok(footprint)
}

/// Starts sleepers until there are `count`, or no more can be started.
fn fill(
    session: &Session<'_>,
    sleeper: &dyn Prepared,
    alive: &mut Vec<Box<dyn Execution>>,
    count: usize,
) -> Result<(), Stopped> {
    while alive.len() < count {
        session.progress.at("alive at once", alive.len(), count)?;
        match sleeper.start(Stdio::discarded()) {
            Ok(run) => alive.push(run),
            Err(error) => {
                session.failed("namespace_cold", &format!("to have {count} alive"), &chain(&error));
                break;
            }
        }
    }
    Ok(())
}

/// Waits until so many are past their start.
fn settle(sandbox: &dyn Native, count: usize) -> Result<(), String> {
    thread::sleep(SETTLE);
    let Some(helper) = sandbox.helper() else { return Ok(()) };
    let begun = Instant::now();
    loop {
        let there = children(helper).len();
        // Where a kernel does not list them, nobody can tell.
        if there == 0 || there >= count {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("only {there} are there"));
        }
        thread::sleep(SETTLE);
    }
}

fn timed(run: impl FnOnce() -> SandboxResult<stockade_core::Report>) -> Result<u64, String> {
    let begun = Instant::now();
    let report = run().map_err(|error| chain(&error))?;
    let took = nanos(begun.elapsed());
    succeeded(report).map(|_| took)
}

/// What one sandbox of this helper holds.
fn held(helper: u32, idle: Option<u64>, count: usize) -> Option<Footprint> {
    let inits = children(helper);
    let inits = &inits[..inits.len().min(LOOKED_AT)];
    let programs: Vec<u32> = inits.iter().flat_map(|init| children(*init)).collect();
    let processes = mean(inits, pss)? + mean(&programs, pss)?;
    let kernel = mean(&programs, kernel_memory);
    let grown = pss(helper)?.saturating_sub(idle?) / count.max(1) as u64;
    let how = format!(
        "{count} alive: proportional share (PSS) of init and of a static program that sleeps, the \
         helper's growth{}",
        match kernel {
            Some(_) => ", kernel memory charged to the program's cgroup",
            None => "; kernel memory is not counted here",
        }
    );
    let bytes = processes + grown + kernel.unwrap_or_default();
    Some(Footprint { mode: "namespace_prepared".to_owned(), bytes, how })
}

/// The mean over those that can be read; none if none can.
fn mean(pids: &[u32], read: impl Fn(u32) -> Option<u64>) -> Option<u64> {
    let read: Vec<u64> = pids.iter().filter_map(|pid| read(*pid)).collect();
    let count = u64::try_from(read.len()).ok().filter(|count| *count > 0)?;
    Some(read.iter().sum::<u64>() / count)
}

/// See proc(5), `task/TID/children`.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Proportional set size of a process, in bytes; see proc(5), `smaps_rollup`.
fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(kibibytes(&text, "Pss:")? * 1024)
}

/// Kernel memory charged to the cgroup of a process, version 1 or 2.
fn kernel_memory(pid: u32) -> Option<u64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    for group in groups.lines() {
        let mut fields = group.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        if controllers.split(',').any(|name| name == "memory") {
            let file = format!("/sys/fs/cgroup/memory{path}/memory.kmem.usage_in_bytes");
            return fs::read_to_string(file).ok()?.trim().parse().ok();
        }
        if controllers.is_empty()
            && let Ok(stat) = fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.stat"))
        {
            let value = stat.lines().find_map(|line| line.strip_prefix("kernel "))?;
            return value.trim().parse().ok();
        }
    }
    None
}

fn instances(
    session: &Session<'_>,
    series: &mut Vec<Series>,
) -> Result<Option<Footprint>, Stopped> {
    let ready = || {
        let sandbox = session.makers.modules(None)?;
        let prepared = sandbox.prepare(&policy(&*sandbox), &Program::module(HELLO))?;
        Ok((sandbox, prepared))
    };
    let ready: SandboxResult<_> = ready();
    let Ok((sandbox, prepared)) = ready else { return Ok(None) };
    let counts = if session.options.quick { &INSTANCES[..2] } else { &INSTANCES[..] };
    let rounds = session.count(500, 50);
    let mut footprint = None;
    for (index, &count) in counts.iter().enumerate() {
        session.progress.at("instances alive at once", index, counts.len())?;
        let before = own();
        let alive = match sandbox.instances(COUNTER, count) {
            Ok(alive) => alive,
            Err(error) => {
                session.failed("wasm_prepared", &format!("with {count} alive"), &chain(&error));
                break;
            }
        };
        let bytes = own().saturating_sub(before) / count as u64;
        let samples: Vec<u64> =
            (0..rounds).filter_map(|_| timed(|| start(&*prepared)).ok()).collect();
        if let Some(point) = point(count as u64, &samples) {
            add(series, "wasm_prepared", LIVE, point);
        }
        let how = format!(
            "{count} instances alive, each of which was called once: growth of this process's \
             proportional share (PSS) and page tables"
        );
        footprint = Some(Footprint { mode: "wasm_prepared".to_owned(), bytes, how });
        drop(alive);
    }
    Ok(footprint)
}

/// What this process holds, with its page tables.
fn own() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tables = kibibytes(&status, "VmPTE:").unwrap_or_default() * 1024;
    pss(std::process::id()).unwrap_or_default() + tables
}
