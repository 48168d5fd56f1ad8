//! Sandboxes without some of their walls, which say so.

use std::collections::BTreeSet;

use stockade_core::{
    Ability, Control, EnforcementStatus, ErrorKind, Policy, Program, Report, Sandbox,
};
use stockade_namespace::{LeftOut, NamespaceSandbox};

use crate::machine::subject_with_proc;

const CGROUPS: LeftOut = LeftOut { cgroups: true, landlock: false, seccomp: false };
const LANDLOCK: LeftOut = LeftOut { cgroups: false, landlock: true, seccomp: false };
const SECCOMP: LeftOut = LeftOut { cgroups: false, landlock: false, seccomp: true };

/// The default policy and a bound on the rate, which asks for everything that can be left out; and
/// what it then has to take.
fn policy(sandbox: &NamespaceSandbox) -> (Policy, BTreeSet<Control>) {
    let mut policy = Policy::default();
    policy.limits.cpus = "1".parse().ok();
    let weaker = |control: &Control| {
        *control != Control::Fuel
            && !matches!(sandbox.support().ability(*control), Ability::Enforced { .. })
    };
    (policy, Control::ALL.into_iter().filter(weaker).collect())
}

/// Refused by a policy that does not take it, run by one that does.
fn run(walls: LeftOut) -> Report {
    let sandbox = NamespaceSandbox::leaving_out(walls).expect("it starts without them as well");
    let (mut policy, weaker) = policy(&sandbox);
    let program = Program::executable("/bin/sh")
        .args(["-c", "while read -r line; do echo \"$line\"; done < /proc/self/status"]);
    let error = sandbox.prepare(&policy, &program).err().expect("it asks for what is left out");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    let unmet: BTreeSet<Control> = error.unmet().iter().map(|unmet| unmet.control).collect();
    assert_eq!(unmet, weaker);
    policy.best_effort = weaker;
    let report = sandbox.run(&policy, &program).expect("it takes less");
    assert!(report.verdict.success(), "{report:?}");
    report
}

/// What the receipt says of a control.
fn said(report: &Report, control: Control) -> (EnforcementStatus, String) {
    let entry = report.enforcement.iter().find(|entry| entry.control == control);
    let entry = entry.expect("it was asked for");
    (entry.status, entry.reason.clone().unwrap_or_default())
}

fn filters(report: &Report) -> String {
    let status = String::from_utf8_lossy(&report.stdout);
    let line = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    line.expect("the kernel knows of filters").trim().to_owned()
}

#[test]
fn without_cgroups_no_limit_of_theirs_is_enforced_or_sampled() {
    let Some(_) = subject_with_proc() else { return };
    let report = run(CGROUPS);
    for control in [Control::Memory, Control::CpuTime, Control::Cpus, Control::Processes] {
        let (status, reason) = said(&report, control);
        assert_eq!(status, EnforcementStatus::NotEnforced, "{control}: {reason}");
        assert_eq!(reason, "cgroups are left out, to measure");
    }
    assert_eq!(said(&report, Control::Syscalls).0, EnforcementStatus::Enforced);
    assert_eq!(filters(&report), "2");
}

#[test]
fn without_landlock_files_have_one_wall_less() {
    let Some(_) = subject_with_proc() else { return };
    let report = run(LANDLOCK);
    let (status, reason) = said(&report, Control::Filesystem);
    assert_eq!(status, EnforcementStatus::Approximated, "{reason}");
    assert_eq!(reason, "Landlock is left out, to measure");
    let entry = report.enforcement.iter().find(|entry| entry.control == Control::Filesystem);
    let mechanism = entry.and_then(|entry| entry.mechanism.as_deref());
    assert_eq!(mechanism, Some("mount namespace, pivot_root"));
}

#[test]
fn without_seccomp_no_filter_is_there_and_none_is_claimed() {
    let Some(_) = subject_with_proc() else { return };
    let report = run(SECCOMP);
    let (status, reason) = said(&report, Control::Syscalls);
    assert_eq!(status, EnforcementStatus::NotEnforced, "{reason}");
    assert_eq!(reason, "seccomp is left out, to measure");
    let (status, reason) = said(&report, Control::Network);
    assert_eq!(status, EnforcementStatus::Approximated, "{reason}");
    // A container that runs the tests may have one of its own.
    let own = std::fs::read_to_string("/proc/self/status").expect("proc is mounted");
    if own.contains("Seccomp:\t0") {
        assert_eq!(filters(&report), "0");
    }
}

#[test]
fn with_nothing_left_out_nothing_is_said_of_it() {
    let Some(subject) = subject_with_proc() else { return };
    let whole = NamespaceSandbox::leaving_out(LeftOut::default()).expect("it starts");
    assert_eq!(whole.support(), subject.backend().support());
}
