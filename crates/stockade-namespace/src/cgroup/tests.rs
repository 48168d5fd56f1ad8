use std::path::PathBuf;
use std::time::Duration;

use stockade_core::{Ability, Control};

use super::{Cgroups, Lack, Parent, Seat, Version};

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
    }
}

fn v2() -> Cgroups {
    Cgroups {
        parents: vec![parent("unified", Version::V2)],
        memory: seat(Version::V2, 0),
        tasks: seat(Version::V2, 0),
        cpu_time: seat(Version::V2, 0),
        cpu_rate: seat(Version::V2, 0),
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
