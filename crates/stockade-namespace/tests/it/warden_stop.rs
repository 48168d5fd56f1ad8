//! A warden that somebody stops is continued: by news from its host, or by the host itself.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stockade_conformance::Job;
use stockade_core::{Control, Stdio, Verdict};
use stockade_guests as guests;

use crate::machine::{Subject, descendants, soon, status, subject};

/// Stops the warden; it has stopped when this returns.
fn stop_warden(subject: &Subject) {
    let warden = subject.backend().warden_id().expect("there is a warden");
    let pid = i32::try_from(warden).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::STOP).expect("it is ours");
    assert!(soon(|| status(warden, "State").is_some_and(|state| state.starts_with('T'))));
}

#[test]
fn a_stopped_warden_answers_and_starts_runs() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    for _ in 0..3 {
        stop_warden(&subject);
        let run = prepared.start(Stdio::captured()).expect("it is asked for");
        assert!(Job::wait(run).expect("it works").verdict.success());
        stop_warden(&subject);
        assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
        stop_warden(&subject);
        assert!(subject.backend().census().is_ok_and(|census| census.runs <= 2));
    }
}

#[test]
fn a_stopped_warden_is_continued_while_its_run_is_waited_for() {
    let Some(subject) = subject() else { return };
    let job = Job::new(&subject, &guests::SLEEP_FOREVER)
        .policy(|policy| policy.limits.wall_time = Duration::from_millis(500).into());
    let run = job.start(Stdio::captured());
    stop_warden(&subject);
    let report = Job::wait(run).expect("it is reported");
    let by_time = matches!(
        report.verdict,
        Verdict::Limit { control: Control::WallTime, limit: 500_000_000, .. }
    );
    assert!(by_time, "{:?}", report.verdict);
}

#[test]
fn runs_of_a_stopped_warden_are_killed_and_dropped() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::IGNORE_SIGNALS_AND_STOP).prepare();
    let warden = subject.backend().warden_id().expect("there is a warden");
    let start = || prepared.start(Stdio::captured()).expect("it starts");
    let [killed, dropped] = [start(), start()];
    // An init and two processes each.
    assert!(soon(|| descendants(warden).len() == 6), "{:?}", descendants(warden));
    stop_warden(&subject);
    killed.killer().kill();
    assert_eq!(Job::wait(killed).expect("it is reported").verdict, Verdict::Cancelled);
    stop_warden(&subject);
    drop(dropped);
    assert!(soon(|| descendants(warden).is_empty()), "{:?}", descendants(warden));
}

#[test]
fn dropping_everything_ends_a_stopped_warden() {
    let Some(subject) = subject() else { return };
    let warden = subject.backend().warden_id().expect("there is a warden");
    stop_warden(&subject);
    drop(subject);
    assert!(soon(|| status(warden, "State").is_none()));
}
