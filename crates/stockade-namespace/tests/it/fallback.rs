//! What this kernel has and another lacks: each time the run works all the same and its receipt
//! says how, or there is an error that says what is missing.

use stockade_core::{Bytes, Control};
use stockade_guests as guests;

use crate::elsewhere::{Place, hidden, line, role, say, there, try_run};
use crate::machine::{expects, has_cgroup, has_landlock, is_root, subject};

const EXITED: &str = "Exited { code: 0 }";

/// Runs the same test where `place` is, and gives what came of a plain run there.
fn hello(place: &Place<'_>, name: &str) -> String {
    there(place, module_path!(), name, "hello")
}

fn act() {
    say(&line(&try_run(&guests::HELLO, &[], |_| ())));
}

#[test]
fn a_kernel_without_landlock_has_one_wall_less_and_says_so() {
    if role().is_some() {
        return act();
    }
    let Some(subject) = subject() else { return };
    if !has_landlock(&subject) {
        return;
    }
    let name = "a_kernel_without_landlock_has_one_wall_less_and_says_so";
    for errno in [libc::ENOSYS, libc::EOPNOTSUPP] {
        let call = Place::Without(libc::SYS_landlock_create_ruleset, errno, 0);
        let said = hello(&call, name);
        assert!(said.starts_with(EXITED), "{said}");
        assert!(said.contains("no Landlock here"), "{said}");
    }
}

#[test]
fn a_kernel_without_cgroup_namespaces_runs_programs() {
    if role().is_some() {
        return act();
    }
    if subject().is_none() {
        return;
    }
    const CLONE_NEWCGROUP: u64 = 0x0200_0000;
    let name = "a_kernel_without_cgroup_namespaces_runs_programs";
    let unknown = Place::Without(libc::SYS_unshare, libc::EINVAL, CLONE_NEWCGROUP);
    assert!(hello(&unknown, name).starts_with(EXITED));
    // Refused is another thing than unknown.
    let refused = Place::Without(libc::SYS_unshare, libc::EPERM, CLONE_NEWCGROUP);
    let said = hello(&refused, name);
    assert!(said.starts_with("Setup: ") && said.contains("os error 1"), "{said}");
}

/// Calls for which nothing stands in, and how the error names what they were needed for.
const NEEDED: [(&str, i64, &str); 14] = [
    ("memfd_create", libc::SYS_memfd_create, "helper's image"),
    ("epoll_pwait2", libc::SYS_epoll_pwait2, "the helper lacks a call"),
    ("pidfd_send_signal", libc::SYS_pidfd_send_signal, "the helper lacks a call"),
    ("pidfd_open", libc::SYS_pidfd_open, "the helper lacks a call"),
    ("unshare", libc::SYS_unshare, "Unsupported: "),
    ("mount", libc::SYS_mount, "Unsupported: "),
    ("move_mount", libc::SYS_move_mount, "building the root failed"),
    ("openat2", libc::SYS_openat2, "building the root failed"),
    ("mount_setattr", libc::SYS_mount_setattr, "building the root failed"),
    ("open_tree", libc::SYS_open_tree, "building the root failed"),
    ("fsopen", libc::SYS_fsopen, "building the root failed"),
    ("seccomp", libc::SYS_seccomp, "installing the seccomp filter"),
    ("setns", libc::SYS_setns, "entering the root"),
    ("close_range", libc::SYS_close_range, "building the sandbox failed"),
];

#[test]
fn what_nothing_stands_in_for_is_an_error_that_says_where() {
    if role().is_some() {
        return act();
    }
    if subject().is_none() {
        return;
    }
    let name = "what_nothing_stands_in_for_is_an_error_that_says_where";
    for (call, number, expected) in NEEDED {
        // Refused is not another thing than missing, where there is nothing else to do.
        for errno in [libc::ENOSYS, libc::EPERM] {
            let said = hello(&Place::Without(number, errno, 0), name);
            assert!(said.contains(expected), "{call}: {said}");
            assert!(said.contains(&format!("os error {errno}")), "{call}: {said}");
            assert!(!said.ends_with("| "), "{call} has no hint: {said}");
        }
    }
}

#[test]
fn a_host_without_cgroups_samples_and_its_receipt_says_how() {
    if role().is_some() {
        return act();
    }
    let Some(subject) = subject() else { return };
    if !is_root() || !has_cgroup(&subject) {
        return;
    }
    let name = "a_host_without_cgroups_samples_and_its_receipt_says_how";
    // A run that ended before it was looked at twice has no gap, and this one is short.
    let runs = (0..50).map(|_| hello(&Place::After(&hidden("cgroup2?")), name));
    let mut seen = runs.skip_while(|said| !said.contains("longest gap"));
    let said = seen.next().expect("one of them is looked at twice");
    assert!(said.starts_with(EXITED), "{said}");
    for control in [Control::Memory, Control::CpuTime, Control::Processes] {
        assert!(said.contains(&format!("[{control} approximated")), "{said}");
    }
    for words in ["sampled every", "RLIMIT_NPROC", "grew by at most"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn one_hierarchy_that_is_out_of_sight_does_not_take_the_others_along() {
    if role().is_some() {
        return act();
    }
    if subject().is_none() || !is_root() {
        return;
    }
    let memory = std::path::Path::new("/sys/fs/cgroup/memory/memory.stat");
    if !memory.exists() {
        return expects("cgroup1", "no memory hierarchy of version 1");
    }
    let name = "one_hierarchy_that_is_out_of_sight_does_not_take_the_others_along";
    let said = hello(&Place::After(&hidden("cgroup .*memory")), name);
    assert!(said.starts_with(EXITED), "{said}");
    assert!(said.contains("[memory approximated"), "{said}");
    assert!(said.contains("[processes enforced cgroup v1"), "{said}");
}

#[test]
fn clone_stands_in_where_clone3_is_missing() {
    if role().is_some() {
        return act();
    }
    if subject().is_none() {
        return;
    }
    // Only as missing: where it is refused, no thread of the test begins.
    let call = Place::Without(libc::SYS_clone3, libc::ENOSYS, 0);
    let said = hello(&call, "clone_stands_in_where_clone3_is_missing");
    // A process is born in a group of version 2, which only the newer call can say.
    let born_in_a_group = said.contains("forking the workload") && said.contains("os error 38");
    let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    assert!(said.starts_with(EXITED) || unified && born_in_a_group, "{said}");
}

#[test]
fn a_memory_event_that_cannot_be_had_is_made_up_for_by_looking() {
    const LIMIT: u64 = 48 << 20;
    if role().is_some() {
        let small = |policy: &mut stockade_core::Policy| policy.limits.memory = Bytes(LIMIT).into();
        return say(&line(&try_run(&guests::MEMORY_BOMB, &["192"], small)));
    }
    if subject().is_none() {
        return;
    }
    let call = Place::Without(libc::SYS_eventfd2, libc::ENOSYS, 0);
    let said = hello(&call, "a_memory_event_that_cannot_be_had_is_made_up_for_by_looking");
    assert!(said.starts_with("Limit { control: Memory"), "{said}");
}
