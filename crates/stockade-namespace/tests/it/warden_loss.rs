//! A warden that is killed takes its runs with it, and nothing else.

use std::io::Read;

use rustix::process::{Pid, Signal, kill_process};
use stockade_conformance::Job;
use stockade_core::{Error, ErrorKind, Execution, Report, Stdio};
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{Subject, cgroups, descendants, is_alive, soon, subject};

fn kill_warden(subject: &Subject) {
    let warden = subject.backend().warden_id().expect("there is a warden");
    let pid = i32::try_from(warden).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::KILL).expect("it is ours");
    assert!(soon(|| !is_alive(warden)));
}

/// A run whose program is certainly running.
fn running(subject: &Subject) -> Box<dyn Execution> {
    let job = Job::new(subject, &guests::ABSTRACT_LISTEN).args(["lost", "60000"]);
    let mut run = job.start(Stdio::streamed());
    let mut said = [0; 10];
    run.stdout().expect("output is streamed").read_exact(&mut said).expect("it listens");
    run
}

fn lost(result: Result<Report, Error>) {
    let error = result.expect_err("its warden is gone");
    assert_eq!(error.kind(), ErrorKind::HostLost, "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_warden_killed_in_mid_run_is_a_lost_host_and_the_next_run_works() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    let runs = [running(&subject), running(&subject)];
    let warden = subject.backend().warden_id().expect("there is a warden");
    let theirs = descendants(warden);
    assert_eq!(theirs.len(), 4, "init and workload of each: {theirs:?}");
    kill_warden(&subject);
    for run in runs {
        lost(Job::wait(run));
    }
    assert!(soon(|| !theirs.iter().copied().any(is_alive)), "{theirs:?}");

    let run = prepared.start(Stdio::captured()).expect("a new warden is there");
    assert!(Job::wait(run).expect("it works").verdict.success());
    assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
    assert_ne!(subject.backend().warden_id().expect("there is a warden"), warden);
}

#[test]
fn a_warden_killed_while_idle_is_replaced() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    for _ in 0..3 {
        kill_warden(&subject);
        let run = prepared.start(Stdio::captured()).expect("a new warden is there");
        assert!(Job::wait(run).expect("it works").verdict.success());
        kill_warden(&subject);
        assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
    }
}

#[test]
fn a_killed_warden_leaves_no_cgroup() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "a_killed_warden_leaves_no_cgroup", || {
        let run = running(&subject);
        kill_warden(&subject);
        lost(Job::wait(run));
        assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
        drop(subject);
        assert!(soon(|| cgroups(std::process::id()).is_empty()));
    });
}

#[test]
fn dropping_a_run_of_a_lost_warden_returns() {
    let Some(subject) = subject() else { return };
    let run = running(&subject);
    kill_warden(&subject);
    drop(run);
}

#[test]
fn dropping_everything_ends_the_warden() {
    let Some(subject) = subject() else { return };
    let warden = subject.backend().warden_id().expect("there is a warden");
    let prepared = Job::new(&subject, &guests::HELLO).prepare();
    drop(subject);
    let run = prepared.start(Stdio::captured()).expect("what was prepared keeps it");
    assert!(Job::wait(run).expect("it works").verdict.success());
    drop(prepared);
    assert!(soon(|| !is_alive(warden)));
}
