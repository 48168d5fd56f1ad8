//! Version 2 without controllers, which a hybrid host has, too.

use std::fs;
use std::path::PathBuf;

use super::super::detect::Unified;
use super::super::{Cgroups, Hierarchies, Lack, Version, unified};

/// A group made for a test on the version-2 hierarchy.
struct Group(PathBuf);

impl Group {
    fn make(dir: PathBuf) -> Self {
        fs::create_dir(&dir).expect("a group");
        Self(dir)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where this process stands, if it may make groups there; else says why the test is skipped.
fn writable(test: &str) -> Option<Unified> {
    let hierarchies = Hierarchies::read().expect("/proc is mounted");
    let unified = hierarchies.v2.filter(|unified| {
        let trial = unified.own.join(format!("{test}-trial"));
        fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial)).is_ok()
    });
    if unified.is_none() {
        super::skip(test, "no writable cgroup2");
    }
    unified
}

#[test]
fn time_is_counted_where_nothing_can_be_limited() {
    let Some(unified) = writable("time_is_counted_where_nothing_can_be_limited") else { return };
    let only = Hierarchies { v1: [].into(), v2: Some(unified) };
    let cgroups = Cgroups::probe(&only);
    let seat = cgroups.cpu_time.as_ref().expect("time is counted everywhere");
    assert_eq!((seat.version, seat.parent), (Version::V2, 0));
    assert!(cgroups.parents.iter().all(|parent| parent.version == Version::V2));
    let counted = cgroups.recipe(&super::super::Bounds::default());
    assert!(counted.counters.iter().any(|counter| counter.key == "system_usec"));
}

/// Why there is no home for groups, which is that nobody gave one away.
fn undelegated(unified: &Unified) -> Lack {
    match unified::home(unified) {
        Err(unified::Refusal::Undelegated(lack)) => lack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_with_processes_is_a_home_for_none() {
    let Some(unified) = writable("a_group_with_processes_is_a_home_for_none") else { return };
    let own = Group::make(unified.own.join(format!("alone-{}", std::process::id())));
    let alone = Unified { own: own.0.clone(), mount: own.0.clone() };
    let lack = undelegated(&alone);
    assert!(lack.fix.is_some_and(|fix| fix.contains("cgroup.procs")));

    let inner = Group::make(own.0.join("inner"));
    let leaf = Group::make(inner.0.join("leaf"));
    let lack = undelegated(&Unified { own: leaf.0.clone(), mount: unified.mount });
    assert!(lack.fix.is_some_and(|fix| fix.contains("Delegate=yes")));
}

#[test]
fn a_namespace_or_a_delegation_makes_room_beside_the_caller() {
    let test = "a_namespace_or_a_delegation_makes_room_beside_the_caller";
    let Some(unified) = writable(test) else { return };
    let above = Group::make(unified.own.join(format!("beside-{}", std::process::id())));
    let own = Group::make(above.0.join("main"));
    let seen = Unified { own: own.0.clone(), mount: above.0.clone() };
    assert_eq!(unified::home(&seen).expect("it is the namespace's root"), above.0);

    let seen = Unified { own: own.0.clone(), mount: unified.mount };
    undelegated(&seen);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&above.0, "user.delegate", b"1", flags).expect("cgroup2 has attributes");
    assert_eq!(unified::home(&seen).expect("it was given away"), above.0);
}
