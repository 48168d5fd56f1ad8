//! Processes that reach for others, or try to outlive their run.

use std::time::{Duration, Instant};

use stockade_conformance::Job;
use stockade_core::{Bytes, Control, Limit, Stdio, Verdict};
use stockade_guests as guests;

use crate::machine::{descendants, has_cgroup, is_alive, patience, soon, subject, workloads};
use crate::view::printed;

const REFUSED: Verdict = Verdict::Exited { code: 3 };

#[test]
fn a_kill_of_everything_ends_nothing_outside() {
    let Some(subject) = subject() else { return };
    let neighbour = Job::new(&subject, &guests::SLEEP_FOREVER).start(Stdio::captured());
    let report = Job::new(&subject, &guests::KILL_ALL).run();
    assert!(matches!(report.verdict, Verdict::Exited { code: 0 | 3 }), "{}", printed(&report));
    neighbour.killer().kill();
    let report = Job::wait(neighbour).expect("the run is reported");
    assert_eq!(report.verdict, Verdict::Cancelled);
}

#[test]
fn the_host_cannot_be_signalled() {
    let Some(subject) = subject() else { return };
    let warden = subject.backend().warden_id().expect("there is a warden");
    // The first ids are the sandbox's own, and in a container the host's as well.
    for pid in [std::process::id(), warden].into_iter().filter(|pid| *pid > 2) {
        let job = Job::new(&subject, &guests::KILL_PID).args([pid.to_string()]);
        assert_eq!(job.run().verdict, REFUSED);
    }
    assert!(is_alive(warden));
}

#[test]
fn init_cannot_be_killed_from_inside() {
    let Some(subject) = subject() else { return };
    let report = Job::new(&subject, &guests::KILL_PID).args(["1"]).run();
    assert!(matches!(report.verdict, Verdict::Exited { code: 0 | 3 }), "{:?}", report.verdict);
}

#[test]
fn nothing_outlives_its_run() {
    let Some(subject) = subject() else { return };
    let warden = subject.backend().warden_id().expect("there is a warden");
    let orphans = Job::new(&subject, &guests::ORPHAN_STORM)
        .args(["20", "30000"])
        .policy(|policy| policy.limits.processes = Limit::At(64));
    let holder = Job::new(&subject, &guests::GRANDCHILD_HOLDS_PIPE).args(["30"]);
    let stopped = Job::new(&subject, &guests::IGNORE_SIGNALS_AND_STOP)
        .policy(|policy| policy.limits.wall_time = Duration::from_millis(300).into());
    for job in [orphans, holder, stopped] {
        let begun = Instant::now();
        let run = job.start(Stdio::captured());
        Job::wait(run).expect("the run is reported");
        assert!(begun.elapsed() < patience(Duration::from_secs(10)), "it was waited for");
        let left = workloads(warden);
        assert!(left.is_empty(), "{left:?}");
        assert!(soon(|| descendants(warden).is_empty()));
    }
}

#[test]
fn a_fork_bomb_is_over_soon_and_bounded() {
    let Some(subject) = subject() else { return };
    let job = Job::new(&subject, &guests::FORK_BOMB).policy(|policy| {
        policy.limits.processes = Limit::At(32);
        policy.limits.wall_time = Duration::from_secs(5).into();
    });
    let begun = Instant::now();
    let report = job.run();
    let Verdict::Limit { control, limit: _, observed } = report.verdict else {
        panic!("{report:?}");
    };
    assert_eq!(control, Control::Processes);
    assert!(observed <= 64, "{observed}");
    assert!(begun.elapsed() < patience(Duration::from_secs(20)));
    assert!(soon(|| subject.backend().census().is_ok_and(|census| census.runs == 0)));
}

#[test]
fn memory_is_limited_whatever_holds_it() {
    let Some(subject) = subject() else { return };
    if !has_cgroup(&subject) {
        return;
    }
    let limit = 32 << 20;
    for guest in [guests::MEMFD_BOMB, guests::SHM_BOMB, guests::TMPFS_BOMB, guests::MEMORY_BOMB] {
        let job = Job::new(&subject, &guest).args(["128"]).policy(|policy| {
            policy.limits.memory = Bytes(limit).into();
            policy.limits.disk = Bytes(256 << 20).into();
            policy.limits.file_size = Bytes(256 << 20).into();
        });
        let report = job.run();
        match report.verdict {
            Verdict::Limit { control: Control::Memory, limit: at, observed } => {
                assert_eq!(at, limit, "{}", guest.name);
                assert!(observed <= limit * 11 / 10, "{}: {observed}", guest.name);
            }
            ref verdict => panic!("{}: {verdict:?}: {}", guest.name, printed(&report)),
        }
    }
}
