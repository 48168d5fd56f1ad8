use stockade_core::{Base, EnforcementStatus, Mount, Policy, Program};

use crate::NamespaceSandbox;

#[test]
fn what_is_measured_is_a_run_that_went_well() {
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Empty;
    policy.filesystem.mounts.push(Mount::read_only("/proc/self/exe", "/program"));
    let parts = NamespaceSandbox::parts(policy, Program::executable("/program"));
    let report = parts.and_then(|parts| parts.report()).expect("it was built");
    assert!(report.verdict.success(), "{:?}", report.verdict);
    for entry in &*report.enforcement {
        assert_eq!(entry.status, EnforcementStatus::Enforced, "{entry:?}");
    }
}
