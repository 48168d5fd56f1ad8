use proptest::prelude::*;

use super::{Plan, UnmetControls};
use crate::generated::{cases, policy, support};
use crate::{
    Ability, Control, Cpus, EnforcementStatus, ErrorKind, Limit, NetworkMode, Policy, Support,
};

fn all_enforced() -> Support {
    Support::new("ideal", |control| Ability::enforced(format!("{control} mechanism")))
}

fn mentioned(outcome: &Result<Plan, UnmetControls>) -> Vec<Control> {
    match outcome {
        Ok(plan) => plan.enforcement.iter().map(|entry| entry.control).collect(),
        Err(unmet) => unmet.controls.iter().map(|unmet| unmet.control).collect(),
    }
}

/// Whether a host that answers so can be accepted for a control that is listed as best effort.
fn status_of(ability: &Ability) -> EnforcementStatus {
    match ability {
        Ability::Enforced { .. } => EnforcementStatus::Enforced,
        Ability::Approximated { .. } => EnforcementStatus::Approximated,
        Ability::Unavailable { .. } => EnforcementStatus::NotEnforced,
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn a_plan_has_every_control_asked_for_exactly_once(
        policy in policy(),
        support in support(),
    ) {
        let asked: Vec<_> =
            Control::ALL.into_iter().filter(|control| policy.asks_for(*control)).collect();
        match Plan::resolve(&policy, &support) {
            Ok(plan) => {
                prop_assert_eq!(mentioned(&Ok(plan.clone())), asked);
                prop_assert_eq!(&plan.policy, &policy);
                prop_assert_eq!(plan.policy_hash, policy.hash());
            }
            Err(unmet) => {
                let expected: Vec<_> = asked
                    .into_iter()
                    .filter(|control| !policy.best_effort.contains(control))
                    .filter(|control| {
                        status_of(&support.ability(*control)) != EnforcementStatus::Enforced
                    })
                    .collect();
                prop_assert!(!expected.is_empty());
                prop_assert_eq!(mentioned(&Err(unmet)), expected);
            }
        }
    }

    #[test]
    fn nothing_required_is_ever_weaker(policy in policy(), support in support()) {
        if let Ok(plan) = Plan::resolve(&policy, &support) {
            for entry in plan.enforcement.iter() {
                if !policy.best_effort.contains(&entry.control) {
                    prop_assert_eq!(entry.status, EnforcementStatus::Enforced);
                }
            }
        }
    }

    #[test]
    fn a_plan_claims_what_the_host_can_and_says_why_not(policy in policy(), support in support()) {
        let mut lenient = policy;
        lenient.best_effort = Control::ALL.into();
        let plan = Plan::resolve(&lenient, &support).expect("nothing is required");
        for entry in plan.enforcement.iter() {
            let status = status_of(&support.ability(entry.control));
            prop_assert_eq!(entry.status, status);
            prop_assert_eq!(entry.reason.is_some(), status != EnforcementStatus::Enforced);
            prop_assert_eq!(entry.mechanism.is_some(), status != EnforcementStatus::NotEnforced);
            prop_assert_eq!(
                plan.enforces(entry.control),
                status != EnforcementStatus::NotEnforced
            );
        }
    }

    #[test]
    fn best_effort_weakens_only_what_it_lists(
        policy in policy(),
        support in support(),
        listed in crate::generated::control(),
    ) {
        let mut lenient = policy.clone();
        lenient.best_effort.insert(listed);
        let mut strict = policy;
        strict.best_effort.remove(&listed);
        let weaker = match (Plan::resolve(&strict, &support), Plan::resolve(&lenient, &support)) {
            (Ok(strict), Ok(lenient)) => {
                prop_assert_eq!(strict.enforcement, lenient.enforcement);
                return Ok(());
            }
            (Err(strict), Ok(_)) => strict.controls,
            (Err(strict), Err(lenient)) => {
                let gone = |unmet: &crate::Unmet| !lenient.controls.contains(unmet);
                strict.controls.into_iter().filter(gone).collect()
            }
            (Ok(_), Err(_)) => return Err(TestCaseError::fail("best effort made it stricter")),
        };
        prop_assert!(weaker.iter().all(|unmet| unmet.control == listed));
    }

    #[test]
    fn resolving_twice_gives_the_same(policy in policy(), support in support()) {
        prop_assert_eq!(Plan::resolve(&policy, &support), Plan::resolve(&policy, &support));
    }

    #[test]
    fn a_host_that_enforces_everything_meets_every_policy(policy in policy()) {
        prop_assert!(Plan::resolve(&policy, &all_enforced()).is_ok());
    }
}

#[test]
fn a_lifted_limit_is_not_in_the_plan() {
    let mut policy = Policy::default();
    policy.limits.memory = Limit::Unlimited;
    policy.network.mode = NetworkMode::Host;
    let plan = Plan::resolve(&policy, &all_enforced()).expect("everything is enforced");
    for absent in [Control::Memory, Control::Network, Control::Cpus, Control::Fuel] {
        assert_eq!(plan.enforcement(absent), None);
        assert!(!plan.enforces(absent));
    }
    assert!(plan.enforces(Control::CpuTime));
}

#[test]
fn cpus_and_fuel_are_in_the_plan_once_they_are_asked_for() {
    let mut policy = Policy::default();
    policy.limits.cpus = Some(Cpus::from_milli(500));
    policy.limits.fuel = Some(1);
    let plan = Plan::resolve(&policy, &all_enforced()).expect("everything is enforced");
    assert!(plan.enforces(Control::Cpus) && plan.enforces(Control::Fuel));
}

#[test]
fn a_control_the_backend_does_not_know_is_unmet() {
    let mut support = all_enforced();
    support.controls.remove(&Control::Memory);
    let unmet = Plan::resolve(&Policy::default(), &support).expect_err("memory is required");
    assert_eq!(unmet.controls.len(), 1);
    assert_eq!(unmet.controls[0].control, Control::Memory);
    assert!(unmet.to_string().contains("does not know"));
}

#[test]
fn unmet_controls_are_an_unsupported_error_with_reasons_and_every_fix_once() {
    let support = Support::new("namespace", |control| match control {
        Control::Memory => Ability::unavailable("no cgroup is writable", Some("delegate one")),
        Control::Processes => {
            Ability::approximated("polling", "may miss some", Some("delegate one"))
        }
        _ => Ability::enforced("kernel"),
    });
    let unmet = Plan::resolve(&Policy::default(), &support).expect_err("two are required");
    let error = crate::Error::from(unmet);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "the namespace backend cannot enforce memory: no cgroup is writable; \
         processes: only approximated by polling (may miss some)"
    );
    let hint = error.hint().expect("a hint");
    assert_eq!(hint.matches("delegate one").count(), 1);
    assert!(hint.contains("memory,processes"), "{hint}");
    let approximable: Vec<_> = error.unmet().iter().map(|unmet| unmet.approximable).collect();
    assert_eq!(approximable, [false, true]);
}
