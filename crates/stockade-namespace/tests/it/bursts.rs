//! Many runs at once and one after the other, and what they leave behind: nothing.

use std::fs;
use std::thread;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Bytes, OutputOverflow, Stdio, Verdict};
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{cgroups, descendants, soon, status, subject, workloads};

/// Open descriptors and mounts of this process.
fn held() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc is mounted").count();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    (descriptors, mounts.lines().count())
}

#[test]
fn a_thousand_runs_from_eight_threads_leave_nothing() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "a_thousand_runs_from_eight_threads_leave_nothing", || {
        let job = Job::new(&subject, &guests::EXIT_CODE).args(["0"]);
        let first = job.start(Stdio::captured()).wait().expect("it is reported");
        assert!(first.verdict.success());
        let before = held();
        let all = || {
            let prepared = job.prepare();
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..125 {
                            let run = prepared.start(Stdio::captured()).expect("it starts");
                            assert!(run.wait().expect("it is reported").verdict.success());
                        }
                    });
                }
            });
        };
        all();
        let backend = subject.backend();
        let idle = || backend.census().is_ok_and(|census| census.runs == 0 && census.groups <= 1);
        assert!(soon(idle), "{:?}", backend.census());
        let census = backend.census().expect("the warden answers");
        assert!(census.slots <= 32, "{census:?}");
        assert_eq!(census.plans, 0, "{census:?}");
        assert_eq!(descendants(backend.warden_id().expect("there is a warden")), Vec::<u32>::new());
        assert_eq!(held(), before);

        // As many once more, and there is no more of anything.
        all();
        assert!(soon(idle), "{:?}", backend.census());
        let again = backend.census().expect("the warden answers");
        let grown = again.descriptors.saturating_sub(census.descriptors);
        assert!(again.slots <= 32 && grown <= 32, "{census:?}, then {again:?}");
        assert_eq!(held(), before);
        // In each hierarchy the warden's own and one made ahead.
        assert!(soon(|| cgroups(std::process::id()).len() <= 2 * 4));
        drop(subject);
        assert_eq!(cgroups(std::process::id()), Vec::<String>::new());
    });
}

#[test]
fn a_hundred_sandboxes_live_at_once() {
    let Some(subject) = subject() else { return };
    let prepared = Job::new(&subject, &guests::SLEEP_FOREVER)
        .policy(|policy| policy.limits.wall_time = std::time::Duration::from_secs(120).into())
        .prepare();
    let runs: Vec<_> =
        (0..100).map(|_| prepared.start(Stdio::discarded()).expect("it starts")).collect();
    let backend = subject.backend();
    let warden = backend.warden_id().expect("there is a warden");
    assert_eq!(backend.census().expect("the warden answers").runs, 100);
    assert!(soon(|| descendants(warden).len() == 200), "init and workload of each");
    if rustix::process::geteuid().is_root() {
        let users = || descendants(warden).into_iter().filter_map(|pid| status(pid, "Uid"));
        assert!(soon(|| users().collect::<std::collections::BTreeSet<_>>().len() == 200));
    }
    for run in &runs {
        run.killer().kill();
    }
    for run in runs {
        assert_eq!(Job::wait(run).expect("it is reported").verdict, Verdict::Cancelled);
    }
    assert_eq!(workloads(warden), Vec::<u32>::new());
    assert!(soon(|| descendants(warden).is_empty()));
    assert!(soon(|| backend.census().is_ok_and(|census| census.runs == 0)));
}

#[test]
fn different_roots_come_and_go() {
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    for number in 0..100 {
        let name = number.to_string();
        let file = scratch.file(&name, &name);
        let report = Job::new(&subject, &guests::CAT)
            .args(["/data"])
            .mount(stockade_core::Mount::read_only(file, "/data"))
            .run();
        assert_eq!(report.stdout, name.as_bytes());
    }
    let census = || subject.backend().census().expect("the warden answers");
    assert!(soon(|| census().roots <= 16 && census().plans == 0), "{:?}", census());
}

#[test]
fn a_flood_of_output_costs_the_host_no_memory() {
    let Some(subject) = subject() else { return };
    alone(module_path!(), "a_flood_of_output_costs_the_host_no_memory", || {
        let peak = || -> u64 {
            let line = status(std::process::id(), "VmHWM").expect("/proc is mounted");
            line.split(' ').next().and_then(|kib| kib.parse().ok()).expect("a number of KiB")
        };
        let bytes: u64 = 256 << 20;
        let job = Job::new(&subject, &guests::STDOUT_FLOOD)
            .args([bytes.to_string(), "65536".to_owned()])
            .policy(|policy| {
                policy.limits.output = Bytes(64 << 10).into();
                policy.limits.output_overflow = OutputOverflow::Truncate;
            });
        let prepared = job.prepare();
        let before = peak();
        let run = prepared.start(Stdio::captured()).expect("it starts");
        let report = Job::wait(run).expect("it is reported");
        assert_eq!(report.verdict, Verdict::Exited { code: 0 });
        assert_eq!(report.usage.stdout_bytes, bytes);
        let grown = peak() - before;
        assert!(grown < 8 << 10, "{grown} KiB");
    });
}
