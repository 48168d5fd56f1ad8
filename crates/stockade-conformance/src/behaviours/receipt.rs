//! What a report says about enforcement, time and use.

use std::time::Duration;

use stockade::{Ability, Control, EnforcementStatus};
use stockade_guests as guests;

use crate::{Job, Subject};

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000_000;

pub(super) fn every_control_asked_for_has_one_entry(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::HELLO);
    let report = job.run();
    let asked = Control::ALL.into_iter().filter(|control| job.policy.asks_for(*control));
    let listed = report.enforcement.iter().map(|entry| entry.control);
    assert!(asked.eq(listed), "{:?}", report.enforcement);
    for entry in report.enforcement.iter() {
        let status = match subject.sandbox().support().ability(entry.control) {
            Ability::Enforced { .. } => EnforcementStatus::Enforced,
            Ability::Approximated { .. } => {
                assert!(job.policy.best_effort.contains(&entry.control));
                assert!(entry.reason.is_some(), "{entry:?}");
                EnforcementStatus::Approximated
            }
            other => panic!("{other:?} for {entry:?}"),
        };
        assert_eq!(entry.status, status, "{entry:?}");
        assert!(entry.mechanism.is_some(), "{entry:?}");
    }
}

pub(super) fn the_report_names_policy_backend_and_version(subject: &dyn Subject) {
    let job = Job::new(subject, &guests::HELLO);
    let report = job.run();
    assert_eq!(report.policy_hash, job.policy.hash());
    assert_eq!(report.backend, subject.sandbox().support().backend);
    assert!(!report.version.is_empty());
    let other = job.policy(|policy| policy.limits.wall_time = Duration::from_secs(7).into()).run();
    assert_ne!(report.policy_hash, other.policy_hash);
}

pub(super) fn timings_are_there(subject: &dyn Subject) {
    let timings = Job::new(subject, &guests::HELLO).run().timings;
    let second = 1000 * MS;
    for time in [timings.prepare_ns, timings.start_ns, timings.teardown_ns] {
        assert!((1..60 * second).contains(&time), "{timings:?}");
    }
    assert!(!timings.phases.is_empty());
    assert!(timings.phases.iter().all(|phase| phase.ns < 60 * second), "{timings:?}");
}

pub(super) fn cpu_time_is_measured(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::BURN_CPU).args(["500"]).run();
    let usage = report.usage;
    assert!(report.verdict.success(), "{:?}", report.verdict);
    // Half a second by the program's own clock; by the wall's, a busy machine leaves it less.
    let expected = match report.stdout.as_slice() {
        b"cpu\n" => 400 * MS..=600 * MS,
        _ => 50 * MS..=usage.wall_ns,
    };
    assert!(expected.contains(&usage.cpu_ns()), "{usage:?}");
    // The guest counts whole milliseconds and may have begun in the middle of one.
    assert!(usage.wall_ns >= 499 * MS, "{usage:?}");
}

pub(super) fn peak_memory_is_measured(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::MEMORY_BOMB).args(["32"]).run();
    assert!(report.verdict.success(), "{:?}", report.verdict);
    let peak = report.usage.peak_memory;
    assert!((32 * MIB..=40 * MIB).contains(&peak), "{peak}");
}

pub(super) fn printed_bytes_are_counted(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::BOTH_PIPES_FLOOD).args(["70000"]).run();
    assert_eq!(report.usage.stdout_bytes, 70_003);
    assert_eq!(report.usage.stderr_bytes, 70_000);
}
