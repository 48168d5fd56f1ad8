mod fake;
mod host;

use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use stockade_core::{Bytes, Cpus, Error, ErrorKind, Limit, Policy, Program, Result, Verdict};

use super::{Batch, Capacity, Job, MAX_WAITING, Options, run_all};
use fake::Fake;

/// Long enough for something that must not happen to have happened.
const MOMENT: Duration = Duration::from_millis(50);

/// A host of so many cores and mebibytes.
fn host(cores: u32, mebibytes: u64) -> Options {
    let cpus = Cpus::from_milli(cores * 1000);
    let capacity = Some(Capacity::new(cpus, mebibytes << 20));
    Options { capacity, ..Options::default() }
}

fn policy(memory: Limit<Bytes>) -> Policy {
    let mut policy = Policy::default();
    policy.limits.memory = memory;
    policy
}

/// A job of 1 MiB.
fn small(fake: &Arc<Fake>, name: &str) -> Job {
    sized(fake, name, Bytes(1 << 20).into())
}

fn sized(fake: &Arc<Fake>, name: &str, memory: Limit<Bytes>) -> Job {
    Job::new(fake.clone(), policy(memory), Program::executable(name))
}

fn start<I>(jobs: I, options: Options) -> Batch
where
    I: IntoIterator<Item: Into<Result<Job>> + 'static>,
    I::IntoIter: Send + 'static,
{
    run_all(jobs, options).expect("a batch")
}

fn verdicts(batch: Batch) -> Vec<(usize, Verdict)> {
    batch.map(|(index, result)| (index, result.expect("a report").verdict)).collect()
}

#[test]
fn no_job_is_no_result() {
    assert!(start(Vec::<Job>::new(), host(2, 64)).next().is_none());
}

#[test]
fn as_many_run_at_once_as_there_are_cores() {
    let fake = Fake::new();
    let jobs: Vec<_> = (0..9).map(|_| small(&fake, "held")).collect();
    let mut batch = start(jobs, host(3, 64));
    for ended in 0..9 {
        let most = 3.min(9 - ended);
        fake.until(|counts| counts.live == most);
        thread::sleep(MOMENT / 10);
        assert_eq!((fake.counts().live, batch.running()), (most, most));
        fake.release(1);
        assert!(batch.next().is_some_and(|(_, result)| result.is_ok()));
    }
    assert!(batch.next().is_none());
    assert_eq!(fake.counts().peak, 3);
}

#[test]
fn a_part_of_a_core_counts_as_that_part() {
    let fake = Fake::new();
    let mut policy = policy(Bytes(1 << 20).into());
    policy.limits.cpus = Some(Cpus::from_milli(250));
    let policy = Arc::new(policy);
    let job = |_| Job::new(fake.clone(), policy.clone(), Program::executable("held"));
    let batch = start((0..20).map(job).collect::<Vec<_>>(), host(2, 64));
    fake.until(|counts| counts.live == 8);
    fake.release(20);
    assert_eq!(verdicts(batch).len(), 20);
    assert_eq!(fake.counts().peak, 8);
}

#[test]
fn memory_lets_in_fewer_than_the_cores_would() {
    let fake = Fake::new();
    let jobs: Vec<_> = (0..6).map(|_| sized(&fake, "held", Bytes(40 << 20).into())).collect();
    let batch = start(jobs, host(8, 100));
    fake.until(|counts| counts.live == 2);
    thread::sleep(MOMENT);
    fake.release(6);
    assert_eq!(verdicts(batch).len(), 6);
    assert_eq!((fake.counts().peak, fake.counts().peak_memory), (2, 80 << 20));
}

#[test]
fn a_job_larger_than_the_host_runs_alone_and_in_its_turn() {
    let fake = Fake::new();
    let sizes = [
        Bytes(1 << 20).into(),
        Bytes(1 << 20).into(),
        Limit::Unlimited,
        Bytes(1 << 40).into(),
        Bytes(1 << 20).into(),
    ];
    let jobs = sizes.map(|size| sized(&fake, "held", size));
    let mut batch = start(jobs, host(4, 64));
    let mut indices = Vec::new();
    for (at_once, ended) in [(2, 2), (1, 1), (1, 1), (1, 1)] {
        fake.until(|counts| counts.live == at_once);
        thread::sleep(MOMENT);
        assert_eq!(fake.counts().live, at_once, "after {indices:?}");
        fake.release(ended);
        indices.extend(batch.by_ref().take(ended).map(|(index, _)| index));
    }
    indices[..2].sort_unstable();
    assert_eq!(indices, [0, 1, 2, 3, 4]);
    assert!(batch.next().is_none());
}

#[test]
fn a_host_with_nothing_to_give_still_runs_one_after_the_other() {
    let fake = Fake::new();
    let jobs: Vec<_> = (0..3).map(|_| small(&fake, "held")).collect();
    let batch = start(jobs, host(0, 0));
    fake.until(|counts| counts.live == 1);
    thread::sleep(MOMENT);
    fake.release(3);
    assert_eq!(verdicts(batch).len(), 3);
    assert_eq!(fake.counts().peak, 1);
}

#[test]
fn a_number_of_jobs_bounds_them_too() {
    let fake = Fake::new();
    let jobs: Vec<_> = (0..6).map(|_| small(&fake, "held")).collect();
    let mut options = host(8, 64);
    options.max_parallel = NonZeroUsize::new(2);
    let batch = start(jobs, options);
    fake.until(|counts| counts.live == 2);
    thread::sleep(MOMENT);
    fake.release(6);
    assert_eq!(verdicts(batch).len(), 6);
    assert_eq!(fake.counts().peak, 2);
}

#[test]
fn results_come_when_runs_end() {
    let fake = Fake::new();
    let jobs = ["held", "quick", "quick"].map(|name| small(&fake, name));
    let mut batch = start(jobs, host(2, 64));
    let first: Vec<_> = batch.by_ref().take(2).map(|(index, _)| index).collect();
    assert_eq!(first, [1, 2]);
    fake.release(1);
    assert_eq!(verdicts(batch), [(0, Verdict::Exited { code: 0 })]);
}

#[test]
fn a_stream_without_an_end_is_taken_no_faster_than_its_results() {
    let fake = Fake::new();
    let taken = Arc::new(AtomicUsize::new(0));
    let (count, endless) = (Arc::clone(&taken), Arc::clone(&fake));
    let jobs = std::iter::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        small(&endless, "quick")
    });
    let mut batch = start(jobs, host(2, 64));
    // Jobs that run when the last place for a result is filled come on top, and one that waits.
    let most = MAX_WAITING + 2 + 1;
    thread::sleep(MOMENT);
    for given in 0..5000 {
        let ahead = taken.load(Ordering::SeqCst) - given;
        assert!(ahead <= most, "{ahead} jobs were taken ahead");
        assert!(batch.next().is_some());
    }
    drop(batch);
    assert_eq!(fake.counts().live, 0);
}

#[test]
fn errors_without_end_wait_for_their_taker_as_well() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let jobs = std::iter::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Err::<Job, _>(Error::new(ErrorKind::Io, "no such job"))
    });
    let mut batch = start(jobs, host(2, 64));
    thread::sleep(MOMENT);
    assert_eq!(taken.load(Ordering::SeqCst), MAX_WAITING);
    assert!(batch.next().is_some_and(|(index, result)| index == 0 && result.is_err()));
}

#[test]
fn an_error_takes_the_place_of_its_job_alone() {
    let fake = Fake::new();
    let jobs = [
        Ok(small(&fake, "quick")),
        Err(Error::new(ErrorKind::InvalidPolicy, "no job")),
        Ok(small(&fake, "missing")),
        Ok(small(&fake, "quick")),
    ];
    let mut results: Vec<_> = start(jobs, host(2, 64)).collect();
    results.sort_by_key(|(index, _)| *index);
    let kinds: Vec<_> =
        results.iter().map(|(_, result)| result.as_ref().err().map(Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::InvalidPolicy), Some(ErrorKind::NotFound), None]);
}

#[test]
fn equal_programs_are_prepared_once() {
    let fake = Fake::new();
    let names = ["quick"; 50].into_iter().chain(["other"; 50]).chain(["missing"; 3]);
    let jobs: Vec<_> = names.map(|name| small(&fake, name)).collect();
    let results: Vec<_> = start(jobs, host(4, 64)).collect();
    assert_eq!(results.iter().filter(|(_, result)| result.is_err()).count(), 3);
    // One that cannot be prepared is tried for each of its jobs.
    assert_eq!(fake.counts().prepared, 2 + 3);
}

#[test]
fn few_prepared_programs_are_kept() {
    let fake = Fake::new();
    let names = (0..40).chain(0..40).map(|number| number.to_string());
    let jobs: Vec<_> = names.map(|name| small(&fake, &name)).collect();
    assert_eq!(verdicts(start(jobs, host(1, 64))).len(), 80);
    assert_eq!(fake.counts().prepared, 80);
    assert_eq!(fake.counts().kept, 0, "after the batch");
    assert!(fake.counts().peak_kept <= 18, "{:?}", fake.counts());
}

#[test]
fn dropping_the_batch_kills_what_runs_and_waits_for_it() {
    let fake = Fake::new();
    let endless = Arc::clone(&fake);
    let batch = start(std::iter::repeat_with(move || small(&endless, "held")), host(3, 64));
    fake.until(|counts| counts.live == 3);
    drop(batch);
    let counts = fake.counts();
    assert_eq!((counts.live, counts.started, counts.killed), (0, 3, 3));
    // The threads hold the iterator, and with it the sandbox.
    assert_eq!(Arc::strong_count(&fake), 1);
}

#[test]
fn a_killer_stops_the_batch_from_another_thread() {
    let fake = Fake::new();
    let endless = Arc::clone(&fake);
    let batch = start(std::iter::repeat_with(move || small(&endless, "held")), host(3, 64));
    let killer = batch.killer();
    let counts = Arc::clone(&fake);
    let stopper = thread::spawn(move || {
        counts.until(|counts| counts.live == 3);
        killer.kill();
        killer
    });
    let mut ended = verdicts(batch);
    ended.sort_by_key(|(index, _)| *index);
    assert_eq!(ended, [0, 1, 2].map(|index| (index, Verdict::Cancelled)));
    let killer = stopper.join().expect("no panic");
    killer.kill();
    assert_eq!(Arc::strong_count(&fake), 1, "a killer keeps nothing");
}

#[test]
fn a_stopped_batch_ends_while_its_jobs_are_waited_for() {
    let fake = Fake::new();
    let (sender, jobs) = mpsc::channel::<Job>();
    let mut batch = start(jobs, host(2, 64));
    sender.send(small(&fake, "quick")).expect("somebody waits");
    assert!(batch.next().is_some());
    let killer = batch.killer();
    let stopper = thread::spawn(move || {
        thread::sleep(MOMENT);
        killer.kill();
    });
    assert!(batch.next().is_none());
    stopper.join().expect("no panic");
    drop(sender);
}

/// The results of a batch up to its panic, and what that says.
fn up_to_the_panic(mut batch: Batch) -> (Vec<usize>, String) {
    let mut indices = Vec::new();
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        for (index, _) in batch.by_ref() {
            indices.push(index);
        }
    }));
    let panic = caught.expect_err("a panic");
    let text = panic.downcast_ref::<&str>().expect("a text");
    assert!(batch.next().is_none(), "a panic goes on once");
    (indices, (*text).to_owned())
}

#[test]
fn a_panic_of_the_jobs_goes_on_after_the_results() {
    let fake = Fake::new();
    let source = Arc::clone(&fake);
    let jobs = (0..5).map(move |number| match number {
        3 => panic!("no fourth job"),
        _ => small(&source, "quick"),
    });
    let (mut indices, text) = up_to_the_panic(start(jobs, host(2, 64)));
    indices.sort_unstable();
    assert_eq!((indices, text.as_str()), (vec![0, 1, 2], "no fourth job"));
}

#[test]
fn a_panic_of_a_backend_goes_on_too() {
    let fake = Fake::new();
    let jobs = ["quick", "panic"].map(|name| small(&fake, name));
    let (indices, text) = up_to_the_panic(start(jobs, host(1, 64)));
    assert_eq!((indices, text.as_str()), (vec![0], "a defect"));
    assert_eq!(fake.counts().live, 0);
}

#[test]
fn what_is_prepared_is_started_with_the_given_input() {
    use stockade_core::Sandbox;
    let fake = Fake::new();
    let prepared = fake.prepare(&policy(Limit::Unlimited), &Program::executable("cat"));
    let prepared: Arc<dyn stockade_core::Prepared> = prepared.expect("it can be").into();
    let jobs: Vec<_> =
        ["a", "b"].map(|input| Job::prepared(Arc::clone(&prepared)).stdin(input)).into();
    let ended: Vec<_> = start(jobs, host(4, 64)).collect();
    let texts: Vec<_> = ended
        .into_iter()
        .map(|(index, result)| (index, result.expect("a report").stdout))
        .collect();
    assert_eq!(texts, [(0, b"a".to_vec()), (1, b"b".to_vec())]);
}
