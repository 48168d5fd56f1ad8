//! One preparation, many runs.

use std::io::{Read, Write};
use std::thread;

use stockade::{Bytes, Control, Prepared, Stdio};
use stockade_guests as guests;

use crate::{Job, Subject};

fn start(prepared: &dyn Prepared, stdio: Stdio) -> stockade::Report {
    Job::wait(prepared.start(stdio).expect("the run starts")).expect("the run is reported")
}

pub(super) fn twenty_runs_in_a_row_know_nothing_of_each_other(subject: &dyn Subject) {
    // Each fills more than half of the disk, so none may find what another left.
    let prepared = Job::new(subject, &guests::DISK_FLOOD)
        .args(["/tmp", "5"])
        .policy(|policy| policy.limits.disk = Bytes(8 << 20).into())
        .prepare();
    for _ in 0..20 {
        let report = start(&*prepared, Stdio::captured());
        assert!(report.verdict.success(), "{:?}", report.verdict);
        assert_eq!(report.policy_hash, prepared.plan().policy_hash);
    }
}

pub(super) fn four_threads_share_what_was_prepared(subject: &dyn Subject) {
    let prepared = Job::new(subject, &guests::ECHO_STDIN).prepare();
    thread::scope(|scope| {
        for thread in 0..4 {
            let prepared = &prepared;
            scope.spawn(move || {
                for run in 0..5 {
                    let text = format!("thread {thread}, run {run}");
                    let report = start(&**prepared, Stdio::captured().stdin(text.as_str()));
                    assert_eq!(String::from_utf8_lossy(&report.stdout), text);
                }
            });
        }
    });
}

pub(super) fn the_plan_can_be_read_before_anything_runs(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::HELLO);
    let prepared = job.prepare();
    let plan = prepared.plan();
    assert_eq!(plan.policy, job.policy);
    assert_eq!(plan.policy_hash, job.policy.hash());
    assert!(plan.enforces(Control::Memory));
    assert_eq!(plan.backend, subject.sandbox().support().backend);
}

pub(super) fn a_program_that_is_started_once_has_its_streams(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::ECHO_STDIN);
    let sandbox = subject.sandbox();
    for text in ["one", "two"] {
        let stdio = Stdio::captured().stdin(text);
        let run = sandbox.start(&job.policy, &job.program, stdio).expect("the run starts");
        let report = Job::wait(run).expect("the run is reported");
        assert_eq!(String::from_utf8_lossy(&report.stdout), text);
    }
    let mut run =
        sandbox.start(&job.policy, &job.program, Stdio::streamed()).expect("the run starts");
    let (mut input, mut output) = (run.stdin().expect("input"), run.stdout().expect("output"));
    input.write_all(b"live").expect("the program reads");
    drop(input);
    let mut said = String::new();
    output.read_to_string(&mut said).expect("the program writes");
    assert_eq!(said, "live");
    assert!(Job::wait(run).expect("the run is reported").verdict.success());
}
