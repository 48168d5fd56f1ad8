//! The receipt: what was asked for, and what became of it.

use stockade_core::{Control, Cpus, EnforcementStatus, ErrorKind, Policy};

use crate::guests::HELLO;
use crate::{module, prepare, refused, run};

#[test]
fn every_control_that_was_asked_for_is_enforced_and_listed_once() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(1_000_000);
    let plan = prepare(&policy, HELLO).plan().clone();
    let report = run(&policy, HELLO);
    assert!(report.enforcement.len() >= 14, "{:?}", report.enforcement);
    for entry in &report.enforcement {
        assert_eq!(entry.status, EnforcementStatus::Enforced, "{entry:?}");
        assert!(plan.policy.asks_for(entry.control), "{entry:?}");
        assert!(entry.mechanism.as_ref().is_some_and(|text| !text.is_empty()));
        let same = report.enforcement.iter().filter(|other| other.control == entry.control);
        assert_eq!(same.count(), 1, "{entry:?}");
    }
    assert_eq!(report.policy_hash, policy.hash());
}

#[test]
fn a_cpu_rate_is_refused_or_said_to_be_missing() {
    let mut policy = Policy::default();
    policy.limits.cpus = Some(Cpus::from_milli(500));
    let error = refused(&policy, &module(HELLO));
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.unmet()[0].control, Control::Cpus);
    policy.best_effort.insert(Control::Cpus);
    let report = run(&policy, HELLO);
    let entry = report.enforcement.iter().find(|entry| entry.control == Control::Cpus);
    let entry = entry.expect("the receipt lists it");
    assert_eq!(entry.status, EnforcementStatus::NotEnforced);
    assert!(entry.reason.is_some());
}
