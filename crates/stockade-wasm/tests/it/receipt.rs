//! The receipt: what was asked for, and what became of it.

use std::time::Duration;

use stockade_core::{Control, Cpus, EnforcementStatus, ErrorKind, Policy};

use crate::guests::HELLO;
use crate::{assert_limit, module, prepare, refused, run};

#[test]
fn every_control_that_was_asked_for_is_enforced_and_listed_once() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(1_000_000);
    let plan = prepare(&policy, HELLO).plan().clone();
    let report = run(&policy, HELLO);
    assert!(report.enforcement.len() >= 14, "{:?}", report.enforcement);
    for entry in report.enforcement.iter() {
        assert_eq!(entry.status, EnforcementStatus::Enforced, "{entry:?}");
        assert!(plan.policy.asks_for(entry.control), "{entry:?}");
        assert!(entry.mechanism.as_ref().is_some_and(|text| !text.is_empty()));
        let same = report.enforcement.iter().filter(|other| other.control == entry.control);
        assert_eq!(same.count(), 1, "{entry:?}");
    }
    assert_eq!(report.policy_hash, policy.hash());
}

#[test]
fn a_cpu_rate_is_approximated_and_said_to_be() {
    let mut policy = Policy::default();
    policy.limits.cpus = Some(Cpus::from_milli(250));
    policy.limits.cpu_time = Duration::from_millis(100).into();
    let error = refused(&policy, &module(HELLO));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.unmet()[0].control, Control::Cpus);
    policy.best_effort.insert(Control::Cpus);
    let report = run(&policy, "(module (func (export \"_start\") (loop (br 0))))");
    assert_limit(&report, Control::CpuTime);
    let entry = report.enforcement.iter().find(|entry| entry.control == Control::Cpus);
    let entry = entry.expect("the receipt lists it");
    assert_eq!(entry.status, EnforcementStatus::Approximated);
    assert!(entry.reason.is_some());
    // A tenth of a second of CPU time at a quarter of a processor.
    assert!(report.usage.wall_ns >= 350_000_000, "{:?}", report.usage);
}
