//! Stopping a run.

use std::io::Read;
use std::thread;
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
