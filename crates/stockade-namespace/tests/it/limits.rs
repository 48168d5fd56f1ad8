//! Limits against memory that hides, memory that is shared, and a shortage that is not the
//! sandbox's own.

use std::fs;
use std::path::{Path, PathBuf};

use stockade_conformance::Job;
use stockade_core::{Ability, Bytes, Control, Report, Sandbox as _, Verdict};
use stockade_guests as guests;

use crate::elsewhere::{Place, hidden, line, role, say, there, try_run};
use crate::machine::{expects, has_cgroup, is_root, soon, subject};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 64 * MIB;

fn small(policy: &mut stockade_core::Policy) {
    policy.limits.memory = Bytes(LIMIT).into();
}

fn large(policy: &mut stockade_core::Policy) {
    policy.limits.memory = Bytes(8 * LIMIT).into();
}

fn over_memory(report: &Report) -> u64 {
    match report.verdict {
        Verdict::Limit { control: Control::Memory, limit: LIMIT, observed } => observed,
        _ => panic!("{report:?}"),
    }
}

/// Does `act` with cgroups, if there are some, and where there are none.
fn with_and_without(name: &str, act: fn()) {
    let Some(subject) = subject() else { return };
    if role().is_some() {
        let memory = subject.backend().support().ability(Control::Memory);
        assert!(matches!(memory, Ability::Approximated { .. }), "{memory:?}");
        act();
        return say("done");
    }
    act();
    if is_root() {
        there(&Place::After(&hidden("cgroup2?")), module_path!(), name, "act");
    }
}

#[test]
fn page_tables_are_memory() {
    with_and_without("page_tables_are_memory", || {
        let report = try_run(&guests::PAGE_TABLE_BOMB, &["256"], small).expect("it runs");
        let observed = over_memory(&report);
        assert!(observed < 3 * LIMIT, "{observed}: {report:?}");
    });
}

#[test]
fn a_bomb_of_four_times_the_limit_does_bounded_harm() {
    with_and_without("a_bomb_of_four_times_the_limit_does_bounded_harm", || {
        let report = try_run(&guests::MEMORY_BOMB, &["256"], small).expect("it runs");
        let observed = over_memory(&report);
        assert!(observed < 3 * LIMIT, "{observed}: {report:?}");
    });
}

#[test]
fn memory_that_processes_share_is_counted_once() {
    with_and_without("memory_that_processes_share_is_counted_once", || {
        let report = try_run(&guests::SHARED_AFTER_FORK, &["40", "6", "300"], small);
        let report = report.expect("it runs");
        assert!(report.verdict.success(), "{report:?}");
        let peak = report.usage.peak_memory;
        assert!((40 * MIB..LIMIT).contains(&peak), "{peak}");
    });
}

#[test]
fn sharing_that_cannot_be_weighed_in_time_counts_in_full() {
    with_and_without("sharing_that_cannot_be_weighed_in_time_counts_in_full", || {
        let subject = subject().expect("it was there before");
        let report = try_run(&guests::SHARED_AFTER_FORK, &["40", "30", "400"], small);
        let report = report.expect("it runs");
        match subject.backend().support().ability(Control::Memory) {
            Ability::Enforced { .. } => assert!(report.verdict.success(), "{report:?}"),
            _ => assert!(over_memory(&report) > LIMIT),
        }
    });
}

#[test]
fn a_program_that_kills_itself_below_the_limit_was_not_killed_for_memory() {
    let Some(subject) = subject() else { return };
    let report = Job::new(&subject, &guests::SELF_SIGKILL).policy(small).run();
    assert!(matches!(report.verdict, Verdict::Signaled { number: 9, .. }), "{report:?}");
    let memory = report.enforcement.iter().find(|entry| entry.control == Control::Memory);
    let reason = memory.and_then(|entry| entry.reason.as_deref()).unwrap_or_default();
    assert!(!reason.contains("killed"), "{reason}");
}

/// A memory cgroup of version 1 that this test has made beneath its own.
struct Above(PathBuf);

impl Above {
    fn new(limit: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
        let own = own.lines().find_map(|line| line.split_once(":memory:/"))?.1;
        let dir = Path::new("/sys/fs/cgroup/memory").join(own);
        let above = Self(dir.join(format!("above-{}-{limit}", std::process::id())));
        fs::create_dir(&above.0).ok()?;
        for file in ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] {
            let file = above.0.join(file);
            if file.exists() {
                fs::write(file, limit.to_string()).expect("root may set it");
            }
        }
        Some(above)
    }

    /// A script that puts what it executes into it.
    fn script(&self) -> String {
        format!(r#"echo $$ > '{}/cgroup.procs'; exec "$0" "$@""#, self.0.display())
    }
}

impl Drop for Above {
    fn drop(&mut self) {
        // The warden of the process that was in it may still be on its way out.
        soon(|| fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_shortage_above_is_told_apart_from_the_limit() {
    match role().as_deref() {
        Some("above") => return say(&line(&try_run(&guests::MEMORY_BOMB, &["1024"], large))),
        Some(_) => return say(&line(&try_run(&guests::MEMORY_BOMB, &["1024"], small))),
        None => {}
    }
    let Some(subject) = subject() else { return };
    if !is_root() || !has_cgroup(&subject) {
        return;
    }
    let name = "a_shortage_above_is_told_apart_from_the_limit";
    let Some(above) = Above::new(4 * LIMIT) else {
        return expects("cgroup1", "no memory hierarchy of version 1");
    };
    let script = above.script();
    let place = Place::After(&script);
    let said = there(&place, module_path!(), name, "above");
    assert!(said.starts_with("Signaled") && said.contains("ran out above"), "{said}");
    let said = there(&place, module_path!(), name, "own");
    assert!(said.starts_with("Limit { control: Memory"), "{said}");
    assert!(!said.contains("ran out above"), "{said}");
}
