//! Stopping a run.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use stockade::{Execution, OutputOverflow, Stdio, Verdict};
use stockade_guests as guests;

use crate::{Job, Subject};

/// No kill takes longer, however busy the machine is.
const SOON: Duration = Duration::from_secs(10);

/// Waits for a run that another thread kills after a moment.
fn killed(run: Box<dyn Execution>) -> Verdict {
    let killer = run.killer();
    let begun = Instant::now();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        killer.kill();
    });
    let report = Job::wait(run).expect("the run is reported");
    thread.join().expect("a kill does not panic");
    assert!(begun.elapsed() < SOON);
    report.verdict
}

pub(super) fn a_kill_from_another_thread_ends_a_sleeping_program(subject: &dyn Subject) {
    let run = Job::new(subject, &guests::SLEEP_FOREVER).start(Stdio::captured());
    assert_eq!(killed(run), Verdict::Cancelled);
}

pub(super) fn a_kill_ends_a_program_that_floods_its_output(subject: &dyn Subject) {
    let flood = || {
        Job::new(subject, &guests::STDOUT_FLOOD)
            .policy(|policy| policy.limits.output_overflow = OutputOverflow::Truncate)
    };
    assert_eq!(killed(flood().start(Stdio::captured())), Verdict::Cancelled);
    assert_eq!(killed(flood().start(Stdio::discarded())), Verdict::Cancelled);
    // Nobody reads this one: the program is blocked in its write.
    let mut run = flood().start(Stdio::streamed());
    let _output = run.stdout();
    assert_eq!(killed(run), Verdict::Cancelled);
}

pub(super) fn a_kill_after_the_end_does_nothing(subject: &dyn Subject) {
    let run = Job::new(subject, &guests::HELLO).start(Stdio::captured());
    let killer = run.killer();
    let report = Job::wait(run).expect("the run is reported");
    killer.kill();
    killer.kill();
    assert_eq!(report.verdict, Verdict::Exited { code: 0 });
    assert_eq!(Job::new(subject, &guests::HELLO).run().stdout, b"hello\n");
}

pub(super) fn a_kill_before_waiting_is_reported(subject: &dyn Subject) {
    let prepared = Job::new(subject, &guests::SLEEP_FOREVER).prepare();
    // Often, since the first order arrives while the sandbox is built and the second too late.
    for _ in 0..20 {
        let run = prepared.start(Stdio::captured()).expect("the run starts");
        run.killer().kill();
        run.killer().kill();
        let report = Job::wait(run).expect("the run is reported");
        assert_eq!(report.verdict, Verdict::Cancelled);
    }
}

pub(super) fn dropping_a_run_ends_it(subject: &dyn Subject) {
    let mut run = Job::new(subject, &guests::SLEEP_FOREVER).start(Stdio::streamed());
    let mut output = run.stdout().expect("output is streamed");
    let begun = Instant::now();
    drop(run);
    // The stream has an end only once nobody who could write to it is alive.
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("the end can be read");
    assert!(begun.elapsed() < SOON);
}

/// Waits for a run that is to go on for so many questions; gives its verdict, how often it was asked,
/// and whether that was on this thread.
fn asked(run: Box<dyn Execution>, questions: usize) -> (Verdict, usize, bool) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, this): (_, ThreadId) = (Arc::clone(&count), thread::current().id());
    let strangers = Arc::new(AtomicUsize::new(0));
    let strange = Arc::clone(&strangers);
    let begun = Instant::now();
    let report = run.wait_while(Arc::new(move || {
        strange.fetch_add(usize::from(thread::current().id() != this), Ordering::Relaxed);
        counter.fetch_add(1, Ordering::Relaxed) < questions
    }));
    assert!(begun.elapsed() < SOON);
    let verdict = report.expect("the run is reported").verdict;
    (verdict, count.load(Ordering::Relaxed), strangers.load(Ordering::Relaxed) == 0)
}

pub(super) fn a_wait_that_is_not_to_go_on_ends_the_run(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::SLEEP_FOREVER);
    for stdio in [Stdio::captured(), Stdio::streamed()] {
        let (verdict, count, here) = asked(job.start(stdio), 2);
        assert_eq!((verdict, here), (Verdict::Cancelled, true));
        assert!(count >= 3, "{count}");
    }
    let (verdict, _, here) = asked(Job::new(subject, &guests::SPIN).start(Stdio::captured()), 2);
    assert_eq!((verdict, here), (Verdict::Cancelled, true));
    // Whoever holds the other end says nothing.
    let (silent, _writer) = std::io::pipe().expect("there is a pipe");
    let run = Job::new(subject, &guests::ECHO_STDIN)
        .start(Stdio::captured().stdin(std::os::fd::OwnedFd::from(silent)));
    let (verdict, _, here) = asked(run, 2);
    assert_eq!((verdict, here), (Verdict::Cancelled, true));
}

pub(super) fn whether_to_go_on_is_asked_while_a_program_prints(subject: &dyn Subject) {
    let flood = Job::new(subject, &guests::STDOUT_FLOOD)
        .policy(|policy| policy.limits.output_overflow = OutputOverflow::Truncate);
    for stdio in [Stdio::captured(), Stdio::discarded()] {
        let (verdict, _, here) = asked(flood.start(stdio), 2);
        assert_eq!((verdict, here), (Verdict::Cancelled, true));
    }
}

pub(super) fn a_wait_that_goes_on_ends_with_the_program(subject: &dyn Subject) {
    let run = Job::new(subject, &guests::HELLO).start(Stdio::captured());
    let report = run.wait_while(Arc::new(|| true)).expect("the run is reported");
    assert_eq!((report.verdict, report.stdout), (Verdict::Exited { code: 0 }, b"hello\n".to_vec()));
}
