//! Native programs, many of them alive at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use stockade::{
    Base, Execution, Killer, Limit, Mount, NamespaceSandbox, Policy, Prepared, Program, Sandbox,
    Stdio, Verdict,
};
use stockade_endurance::mix::accept_approximations;
use stockade_endurance::{Failure, Random, Watchdog, processes, soon};
use stockade_guests::{Guest, HELLO, SLEEP_FOREVER};

use super::{Wanted, share};

type Run = Box<dyn Execution>;

/// Starts `count` programs that sleep, from many threads; then has every thread kill those of
/// others, wait for some of its own and drop the rest.
pub(crate) fn crowd(
    backend: &NamespaceSandbox,
    count: u64,
    wanted: &Wanted,
    dog: &Watchdog,
) -> Result<(), Failure> {
    let sleeper = prepare(backend, &SLEEP_FOREVER)?;
    let begun = Instant::now();
    let crowds = thread::scope(|scope| {
        let sleeper = &*sleeper;
        let threads: Vec<_> = (0..wanted.threads)
            .map(|number| {
                let (seat, mine) = (dog.seat(), share(count, wanted.threads, number));
                scope.spawn(move || -> stockade::Result<Vec<Run>> {
                    let start = || sleeper.start(Stdio::captured());
                    (0..mine).map(|_| seat.watched("starting a sleeper", start)).collect()
                })
            })
            .collect();
        joined(threads)
    })?;
    all_alive(backend, count)?;
    let took = begun.elapsed();
    let beside = beside(backend, dog)?;
    println!(
        "{count} native sandboxes alive after {:.1} s; another one beside them ran in {:.1} ms (p50)",
        took.as_secs_f64(),
        beside.as_secs_f64() * 1000.0
    );

    let begun = Instant::now();
    let killers: Vec<Arc<dyn Killer>> = crowds.iter().flatten().map(|run| run.killer()).collect();
    let killers = Mutex::new(killers);
    thread::scope(|scope| {
        let killers = &killers;
        let threads: Vec<_> = (0..)
            .zip(crowds)
            .map(|(number, mine)| {
                let seat = dog.seat();
                let random = Random::new(wanted.seed, number);
                scope.spawn(move || {
                    seat.watched("ending sleepers", || end(mine, killers, random))
                        .map_err(|error| error.to_string())
                })
            })
            .collect();
        joined(threads)
    })?;
    println!("all ended in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Ends the runs of one thread, and kills one of anybody's for each of them.
fn end(
    mine: Vec<Run>,
    killers: &Mutex<Vec<Arc<dyn Killer>>>,
    mut random: Random,
) -> Result<(), Failure> {
    let mut waited_for = Vec::new();
    for run in mine {
        let killer = killers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(killer) = killer {
            killer.kill();
        }
        match random.below(3) {
            0 => drop(run),
            _ => waited_for.push(run),
        }
    }
    for run in waited_for {
        // Its turn to be killed by another thread may not have come.
        run.killer().kill();
        let verdict = run.wait()?.verdict;
        if verdict != Verdict::Cancelled {
            return Err(format!("a killed sleeper: {verdict:?}").into());
        }
    }
    Ok(())
}

/// Waits until every run has its init and its program.
fn all_alive(backend: &NamespaceSandbox, count: u64) -> Result<(), Failure> {
    let warden = backend.warden_id()?;
    let mut seen = 0;
    let all = soon(Duration::from_secs(60), || {
        let programs = processes::beneath(warden).into_iter();
        seen = programs.filter(|one| one.name != "stockade-warden").count() as u64;
        seen == count
    });
    let census = backend.census()?;
    if all.is_none() || census.runs != count {
        return Err(format!("{seen} of {count} programs are alive; {census:?}").into());
    }
    Ok(())
}

/// The median time of a run beside all those that are alive.
fn beside(backend: &NamespaceSandbox, dog: &Watchdog) -> Result<Duration, Failure> {
    let (prepared, seat) = (prepare(backend, &HELLO)?, dog.seat());
    let mut times = Vec::new();
    for _ in 0..51 {
        let begun = Instant::now();
        let run = || prepared.start(Stdio::captured())?.wait();
        let report = seat.watched("a run beside them", run)?;
        times.push(begun.elapsed());
        if !report.verdict.success() {
            return Err(format!("a run beside them: {:?}", report.verdict).into());
        }
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn prepare(backend: &NamespaceSandbox, guest: &Guest) -> Result<Box<dyn Prepared>, Failure> {
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Empty;
    policy.filesystem.mounts.push(Mount::read_only(guest.path, "/guest"));
    policy.limits.wall_time = Limit::Unlimited;
    accept_approximations(&mut policy, backend);
    Ok(backend.prepare(&policy, &Program::executable("/guest"))?)
}

/// Joins all threads; the first failure of one, when all have ended.
pub(crate) fn joined<T, E: Into<Failure>>(
    threads: Vec<thread::ScopedJoinHandle<'_, Result<T, E>>>,
) -> Result<Vec<T>, Failure> {
    let ends = threads.into_iter().map(|thread| match thread.join() {
        Ok(end) => end.map_err(Into::into),
        Err(_) => Err("a thread panicked".into()),
    });
    ends.collect::<Vec<_>>().into_iter().collect()
}
