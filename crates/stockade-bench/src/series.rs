//! Starts in a large process, and by several threads at once.

use std::hint;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stockade_core::{Prepared, Program, Sandbox};

use crate::contenders::{Modules, Native, Walls, policy};
use crate::measure::{chain, nanos, start, succeeded};
use crate::modes::native;
use crate::options::Session;
use crate::race::race;
use crate::spawn::run_plainly;
use crate::{HELLO, Point, Series, Stopped, machine, percentile};

const MIB: u64 = 1 << 20;
/// Memory that the host holds.
const SIZES: [u64; 4] = [0, 256 * MIB, 1024 * MIB, 4096 * MIB];
/// Threads that the host has besides, if it holds memory.
const THREADS: usize = 64;
/// What must be left of the machine's memory.
const SPARE: u64 = 1024 * MIB;
const AT_ONCE: [usize; 4] = [1, 2, 4, 8];

/// Memory that is touched and threads that are alive, until dropped.
struct Ballast {
    _memory: Vec<u8>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ballast {
    fn new(bytes: u64) -> Self {
        const PAGE: usize = 4096;
        let mut memory = vec![0; usize::try_from(bytes).unwrap_or_default()];
        memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        hint::black_box(&mut memory);
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..if bytes == 0 { 0 } else { THREADS }).map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    thread::park();
                }
            })
        });
        Self { _memory: memory, over: Arc::clone(&over), threads: threads.collect() }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has nothing more to hold.
            let _ = thread.join();
        }
    }
}

/// How long a start takes when this process holds memory and has many threads.
pub(crate) fn host_size(session: &Session<'_>) -> Result<Vec<Series>, Stopped> {
    let mut all: Vec<Series> = Vec::new();
    let sizes = if session.options.quick { &SIZES[..2] } else { &SIZES[..] };
    for &bytes in sizes {
        if bytes > 0 && machine::available() < bytes + SPARE {
            break;
        }
        let ballast = Ballast::new(bytes);
        let part = format!("a host of {} MiB", bytes / MIB);
        let entrants = vec![native::plain(), native::cold(session), native::prepared(session)];
        for mode in race(session, &part, entrants)? {
            if let Some(failure) = mode.failure.as_ref().or(mode.skipped.as_ref()) {
                session.failed(&mode.id, &format!("in {part}"), failure);
            }
            if let (Some(p50_ns), Some(p99_ns)) = (mode.p50(), mode.p99()) {
                let point = Point { x: bytes, p50_ns, p99_ns, per_second: None };
                add(&mut all, &mode.id, "bytes held by the host", point);
            }
        }
        drop(ballast);
    }
    Ok(all)
}

/// Adds a point to the series of a mode.
pub(crate) fn add(all: &mut Vec<Series>, mode: &str, x: &str, point: Point) {
    match all.iter_mut().find(|series| series.mode == mode) {
        Some(series) => series.points.push(point),
        None => {
            let (mode, x) = (mode.to_owned(), x.to_owned());
            all.push(Series { mode, x, points: vec![point] });
        }
    }
}

/// The percentiles of samples, at one place.
pub(crate) fn point(x: u64, samples: &[u64]) -> Option<Point> {
    let (p50_ns, p99_ns) = (percentile(samples, 50)?, percentile(samples, 99)?);
    Some(Point { x, p50_ns, p99_ns, per_second: None })
}

/// Something that many threads can run.
struct Shared {
    mode: &'static str,
    run: Box<dyn Fn() -> Result<(), String> + Sync>,
}

/// Runs a second of several threads at once.
pub(crate) fn concurrency(session: &Session<'_>) -> Result<Vec<Series>, Stopped> {
    let turn = Duration::from_millis(session.count(700, 120) as u64);
    let contenders = contenders(session);
    let mut all = Vec::new();
    let steps = AT_ONCE.len() * contenders.len();
    let mut done = 0;
    for threads in AT_ONCE {
        for contender in &contenders {
            session.progress.at("several threads at once", done, steps)?;
            done += 1;
            let (samples, failure, elapsed) = together(threads, turn, &*contender.run);
            if let Some(failure) = failure {
                session.failed(contender.mode, &format!("with {threads} threads"), &failure);
            }
            if let Some(point) = point(threads as u64, &samples) {
                let per_second = Some(samples.len() as f64 / elapsed.as_secs_f64());
                add(&mut all, contender.mode, "threads", Point { per_second, ..point });
            }
        }
    }
    Ok(all)
}

/// Those that can be run. What cannot was reported among the modes.
fn contenders(session: &Session<'_>) -> Vec<Shared> {
    let plain = || run_plainly(&mut Command::new(native::program())).map(drop);
    let mut all = vec![Shared { mode: "plain", run: Box::new(plain) }];
    let program = Program::executable(native::program());
    let reported = |report: stockade_core::Result<stockade_core::Report>| {
        succeeded(report.map_err(|error| chain(&error))?).map(drop)
    };
    if let Ok(sandbox) = session.makers.native(Walls::All) {
        let (policy, program) = (policy(&*sandbox), program.clone());
        let run = Box::new(move || reported(sandbox.run(&policy, &program)));
        all.push(Shared { mode: "namespace_cold", run });
    }
    for mode in ["namespace_prepared", "namespace_warm"] {
        let Some((sandbox, prepared)) = ready(session, &program) else { continue };
        if mode == "namespace_warm"
            && (prepared.warm(native::SLOTS).is_err() || native::fill(&*sandbox).is_err())
        {
            continue;
        }
        // The sandbox is kept for its helper.
        let keep = sandbox;
        let run = Box::new(move || {
            let _keep = &keep;
            reported(start(&*prepared))
        });
        all.push(Shared { mode, run });
    }
    if let Some((sandbox, prepared)) = ready_module(session) {
        let run = Box::new(move || {
            let _keep: &dyn Sandbox = &*sandbox;
            reported(start(&*prepared))
        });
        all.push(Shared { mode: "wasm_prepared", run });
    }
    all
}

pub(crate) fn ready(
    session: &Session<'_>,
    program: &Program,
) -> Option<(Box<dyn Native>, Box<dyn Prepared>)> {
    let sandbox = session.makers.native(Walls::All).ok()?;
    let prepared = sandbox.prepare(&policy(&*sandbox), program).ok()?;
    Some((sandbox, prepared))
}

/// A module that prints a line, compiled.
pub(crate) fn ready_module(session: &Session<'_>) -> Option<(Box<dyn Modules>, Box<dyn Prepared>)> {
    let sandbox = session.makers.modules(None).ok()?;
    let prepared = sandbox.prepare(&policy(&*sandbox), &Program::module(HELLO)).ok()?;
    Some((sandbox, prepared))
}

/// Has `threads` run for a while, and gives what each run took that did not fail, the first failure,
/// and how long all of it took.
fn together(
    threads: usize,
    turn: Duration,
    run: &(dyn Fn() -> Result<(), String> + Sync),
) -> (Vec<u64>, Option<String>, Duration) {
    let begun = Instant::now();
    let work = || {
        let (mut samples, mut failure) = (Vec::new(), None);
        while begun.elapsed() < turn {
            let begun = Instant::now();
            match run() {
                Ok(()) => samples.push(nanos(begun.elapsed())),
                Err(reason) => {
                    failure.get_or_insert(reason);
                }
            }
        }
        (samples, failure)
    };
    let (mut samples, mut failure) = (Vec::new(), None);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok((its, reason)) => {
                    samples.extend(its);
                    failure = failure.take().or(reason);
                }
                Err(_) => failure = Some("a run panicked".to_owned()),
            }
        }
    });
    (samples, failure, begun.elapsed())
}
