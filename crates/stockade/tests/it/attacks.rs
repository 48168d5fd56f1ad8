//! The suite of attacks: every one is held where the walls stand, and gets through where they do not.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use stockade::attacks::{self, Attack, Finding, Kind, Outcome, Walls};
use stockade::wasm::Imports;
use stockade::{
    Ability, Bytes, Control, ErrorKind, Mount, NamespaceSandbox, Policy, Prepared, Program, Result,
    Sandbox, Support,
};

use stockade_conformance::Warmed;

use super::sandbox;

/// The default policy, with best effort for what this host only approximates.
fn policy(sandbox: &dyn Sandbox) -> Policy {
    let mut policy = Policy::default();
    let approximated = |control: &Control| {
        policy.asks_for(*control)
            && matches!(sandbox.support().ability(*control), Ability::Approximated { .. })
    };
    policy.best_effort = Control::ALL.into_iter().filter(approximated).collect::<BTreeSet<_>>();
    policy
}

/// The native backend, unless this host refuses it and was not declared to have it.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn native(test: &str) -> Option<NamespaceSandbox> {
    match NamespaceSandbox::new() {
        Ok(sandbox) => Some(sandbox),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let declared = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
            assert!(!declared.split(',').any(|word| word == "userns"), "{error:?}");
            println!("SKIP: {test}: {error}");
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The backend for modules, with an embedder that gives them what no sandbox should.
struct Generous;

impl Sandbox for Generous {
    fn support(&self) -> &Support {
        sandbox().support()
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let imports = Imports::new().function("env", "system", |_, _command: u32| Ok(0u32));
        let refused = |_| sandbox().prepare_with(policy, program, &imports);
        sandbox().prepare(policy, program).or_else(refused)
    }
}

/// Every attack of a kind is tried by `try_it`, and ends as `wanted`.
fn all(kind: Kind, try_it: impl Fn(&'static Attack) -> Outcome, wanted: impl Fn(&Outcome) -> bool) {
    let mut wrong = Vec::new();
    for attack in attacks::all().filter(|attack| attack.kind() == kind) {
        let outcome = try_it(attack);
        if !wanted(&outcome) {
            wrong.push(format!("{}: {:?} ({:?})", attack.name, outcome.finding, outcome.elapsed));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_held(outcome: &Outcome) -> bool {
    matches!(outcome.finding, Finding::Held(_))
}

/// Whether it was held; what this host has no wall for is no breach, and shows nothing.
fn is_held_by(sandbox: &dyn Sandbox, outcome: &Outcome) -> bool {
    match outcome.finding {
        Finding::Held(_) => true,
        Finding::NotApplicable(_) => {
            !matches!(sandbox.support().ability(outcome.attack.wall()), Ability::Enforced { .. })
        }
        Finding::Breached(_) => false,
    }
}

fn is_breached(outcome: &Outcome) -> bool {
    matches!(outcome.finding, Finding::Breached(_))
}

/// Whether a kernel that was built without a socket family has nothing there to get through to.
fn is_not_in_this_kernel(outcome: &Outcome) -> bool {
    matches!(&outcome.finding, Finding::Held(how) if how == "AF_VSOCK: EAFNOSUPPORT")
}

#[test]
fn the_table_of_attacks_is_that_of_the_suite() {
    let mut table =
        String::from("| attack | it … | of the kind of | stopped by |\n|---|---|---|---|\n");
    for kind in [Kind::Native, Kind::Module] {
        for attack in attacks::all().filter(|attack| attack.kind() == kind) {
            let of = if kind == Kind::Module { " (module)" } else { "" };
            let long = if attack.is_long() { ", long" } else { "" };
            table.push_str(&format!(
                "| `{}`{of}{long} | {} | {} | `{}` |\n",
                attack.name,
                attack.story(),
                attack.class(),
                attack.wall()
            ));
        }
    }
    stockade_conformance::in_manual("attacks.md", &table);
}

#[test]
fn every_native_attack_is_held() {
    let Some(sandbox) = native("every_native_attack_is_held") else { return };
    let policy = policy(&sandbox);
    all(
        Kind::Native,
        |attack| attacks::play(attack, &sandbox, &policy),
        |outcome| is_held_by(&sandbox, outcome),
    );
}

#[test]
fn every_native_attack_is_held_where_the_sandbox_was_built_before() {
    let name = "every_native_attack_is_held_where_the_sandbox_was_built_before";
    let Some(sandbox) = native(name) else { return };
    let warmed = Warmed::new(sandbox);
    let policy = policy(&warmed);
    all(
        Kind::Native,
        |attack| attacks::play(attack, &warmed, &policy),
        |outcome| is_held_by(&warmed, outcome),
    );
}

#[test]
fn every_attack_by_a_module_is_held() {
    let policy = Policy::default();
    all(Kind::Module, |attack| attacks::play(attack, sandbox(), &policy), is_held);
}

#[test]
fn attacks_are_tried_under_a_policy_that_shares_out_its_disk() {
    let mut policy = Policy::default();
    policy.filesystem.mounts.push(Mount::tmpfs("/scratch", Some(Bytes(16 << 20))));
    all(Kind::Module, |attack| attacks::play(attack, sandbox(), &policy), is_held);
}

#[test]
fn every_attack_by_a_module_is_held_where_instructions_are_counted() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(u64::MAX / 4);
    all(Kind::Module, |attack| attacks::play(attack, sandbox(), &policy), is_held);
}

#[test]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn every_native_attack_gets_through_where_there_is_no_wall() {
    if std::fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        println!("SKIP: every_native_attack_gets_through_where_there_is_no_wall: needs root");
        return;
    }
    let walls = Walls::Down { sandbox: sandbox() };
    let wanted = |outcome: &Outcome| is_breached(outcome) || is_not_in_this_kernel(outcome);
    all(Kind::Native, |attack| attacks::try_on(attack, walls), wanted);
}

#[test]
fn every_attack_by_a_module_gets_through_where_there_is_no_wall() {
    let walls = Walls::Down { sandbox: &Generous };
    all(Kind::Module, |attack| attacks::try_on(attack, walls), is_breached);
}
