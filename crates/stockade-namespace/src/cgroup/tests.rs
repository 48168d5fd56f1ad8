use std::path::PathBuf;
use std::time::Duration;

use stockade_core::{Ability, Control};

use super::{Cgroups, Home, Lack, Manager, Parent, Seat, Version};

mod detect;
mod kernel;
mod recipe;
mod unified;

/// Says that a test was skipped, or fails if the host was declared to have cgroups.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skip(test: &str, reason: &str) {
    let expected = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
    assert!(!expected.split(',').any(|name| name.starts_with("cgroup")), "{test}: {reason}");
    eprintln!("SKIP: {test}: {reason}");
}

fn seat(version: Version, parent: u32) -> Result<Seat, Lack> {
    Ok(Seat { version, parent, missing: Vec::new() })
}

fn parent(dir: &str, version: Version) -> Parent {
    Parent { dir: PathBuf::from(dir), version, controllers: Vec::new() }
}

fn v1() -> Cgroups {
    Cgroups {
        parents: ["cpu", "cpuacct", "memory", "pids"].map(|d| parent(d, Version::V1)).into(),
        memory: seat(Version::V1, 2),
        tasks: seat(Version::V1, 3),
        cpu_time: seat(Version::V1, 1),
        cpu_rate: seat(Version::V1, 0),
        home: Home::Given,
    }
}

fn v2() -> Cgroups {
    Cgroups {
        parents: vec![parent("unified", Version::V2)],
        memory: seat(Version::V2, 0),
        tasks: seat(Version::V2, 0),
        cpu_time: seat(Version::V2, 0),
        cpu_rate: seat(Version::V2, 0),
        home: Home::Given,
    }
}

fn none() -> Cgroups {
    let lack = || Err(Lack { reason: "it is read-only".into(), fix: Some("remount it".into()) });
    Cgroups {
        parents: Vec::new(),
        memory: lack(),
        tasks: lack(),
        cpu_time: lack(),
        cpu_rate: lack(),
        home: Home::Given,
    }
}

const GAP: Duration = Duration::from_millis(5);
const CONTROLS: [Control; 4] =
    [Control::Memory, Control::CpuTime, Control::Processes, Control::Cpus];

#[test]
fn mechanisms_are_named_by_version_and_file() {
    let names = |cgroups: Cgroups| CONTROLS.map(|control| cgroups.ability(control, GAP));
    let enforced = |names: [&str; 4]| names.map(|name| Some(Ability::enforced(name)));
    assert_eq!(
        names(v1()),
        enforced([
            "cgroup v1 memory.limit_in_bytes",
            "cgroup v1 cpuacct.usage",
            "cgroup v1 pids.max",
            "cgroup v1 cpu.cfs_quota_us",
        ])
    );
    assert_eq!(
        names(v2()),
        enforced([
            "cgroup v2 memory.max",
            "cgroup v2 cpu.stat",
            "cgroup v2 pids.max",
            "cgroup v2 cpu.max",
        ])
    );
}

#[test]
fn a_scope_of_the_service_manager_is_named() {
    let manager = Manager::pretend("launcher".into(), "own".into());
    let scoped = Cgroups { home: Home::Scope(manager), ..v2() };
    let expected = Ability::enforced("cgroup v2 pids.max in a scope of the service manager");
    assert_eq!(scoped.ability(Control::Processes, GAP), Some(expected));
}

#[test]
fn a_refused_scope_leaves_what_there_was_and_says_so() {
    let manager = Manager::pretend("launcher".into(), "own".into());
    let mut wanting = Cgroups { home: Home::Wanting(manager), cpu_time: v2().cpu_time, ..none() };
    wanting.refuse_scope(&Lack { reason: "nobody answers".into(), fix: Some("call".into()) });
    assert_eq!((&wanting.home, &wanting.cpu_time), (&Home::Given, &v2().cpu_time));
    let lack = wanting.memory.expect_err("it was none");
    assert!(
        lack.reason.starts_with("it is read-only; ") && lack.reason.ends_with("nobody answers")
    );
    assert_eq!(lack.fix.as_deref(), Some("call"));
}

#[test]
fn another_place_must_have_all_that_was_promised() {
    assert!(v2().holds_in(&v2()) && none().holds_in(&v2()) && none().holds_in(&none()));
    let elsewhere = Cgroups { parents: vec![parent("other", Version::V2)], ..v2() };
    assert!(v2().holds_in(&elsewhere));
    let less = Cgroups { cpu_rate: none().cpu_rate, ..v2() };
    assert!(less.holds_in(&v2()) && !v2().holds_in(&less));
    let poorer = Seat { version: Version::V2, parent: 0, missing: vec!["memory.peak"] };
    assert!(!v2().holds_in(&Cgroups { memory: Ok(poorer), ..v2() }));
}

#[test]
fn without_cgroups_everything_is_sampled_but_the_cpu_rate() {
    for control in [Control::Memory, Control::CpuTime, Control::Processes] {
        let Some(Ability::Approximated { reason, fix, .. }) = none().ability(control, GAP) else {
            panic!("{control} is not approximated");
        };
        assert!(reason.contains("every 5 ms") && reason.contains("it is read-only"), "{reason}");
        assert_eq!(fix.as_deref(), Some("remount it"));
    }
    assert_eq!(
        none().ability(Control::Cpus, GAP),
        Some(Ability::unavailable("it is read-only", Some("remount it")))
    );
}

#[test]
fn other_controls_are_no_matter_of_cgroups() {
    assert_eq!(v2().ability(Control::WallTime, GAP), None);
}
