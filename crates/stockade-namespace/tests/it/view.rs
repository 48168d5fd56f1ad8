//! What a program sees from inside.

use std::collections::BTreeSet;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Mount, NetworkMode, Report};
use stockade_guests as guests;

use crate::machine::{Subject, subject, subject_with_proc};

/// What the guest printed, which is text.
pub(crate) fn printed(report: &Report) -> String {
    String::from_utf8_lossy(&report.stdout).into_owned()
}

fn see(subject: &Subject, guest: &guests::Guest) -> String {
    let report = Job::new(subject, guest).run();
    assert!(report.verdict.success(), "{:?}: {}", report.verdict, printed(&report));
    printed(&report)
}

#[test]
fn no_capability_is_left_and_every_filter_is_on() {
    let Some(subject) = subject_with_proc() else { return };
    let status = see(&subject, &guests::STATUS);
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_else(|| panic!("{key} in {status}"))
    };
    for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(value(key), "0000000000000000", "{key}");
    }
    assert_eq!(value("NoNewPrivs"), "1");
    assert_eq!(value("Seccomp"), "2");
    assert_eq!(value("Uid"), "1000\t1000\t1000\t1000");
    assert_eq!(value("Gid"), "1000\t1000\t1000\t1000");
}

#[test]
fn three_descriptors_are_open() {
    let Some(subject) = subject_with_proc() else { return };
    let listed = see(&subject, &guests::LIST_FDS);
    let numbers: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(numbers, ["0", "1", "2"], "{listed}");
    assert!(listed.lines().all(|line| line.contains(" pipe:")), "{listed}");
}

#[test]
fn only_its_own_processes_are_there() {
    let Some(subject) = subject_with_proc() else { return };
    let listed = see(&subject, &guests::LIST_PROCESSES);
    let pids: Vec<u32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    // Init may be hidden; what else is there has the first ids of a new namespace.
    assert!((1..=2).contains(&pids.len()) && pids.iter().all(|pid| *pid <= 3), "{listed}");
}

#[test]
fn the_only_interface_is_loopback() {
    let Some(subject) = subject_with_proc() else { return };
    for (mode, expected) in [(NetworkMode::None, "lo down\n"), (NetworkMode::Loopback, "lo up\n")] {
        let job =
            Job::new(&subject, &guests::INTERFACES).policy(|policy| policy.network.mode = mode);
        let seen = printed(&job.run());
        let (lo, rest): (Vec<&str>, Vec<&str>) =
            seen.lines().partition(|line| line.starts_with("lo "));
        assert_eq!(lo.concat() + "\n", expected);
        // Kernels with tunnel modules put templates of theirs into every namespace.
        assert!(rest.iter().all(|line| line.ends_with(" down")), "{seen}");
    }
}

#[test]
fn there_is_no_terminal_and_the_session_is_its_own() {
    let Some(subject) = subject() else { return };
    let seen = see(&subject, &guests::SESSION);
    let number = |key: &str| {
        let value = seen.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.and_then(|value| value.parse::<u32>().ok()).unwrap_or_else(|| panic!("{key}: {seen}"))
    };
    assert_eq!((number("pgid"), number("sid")), (number("pid"), number("pid")));
    assert!(!seen.contains("tty: ok"), "{seen}");
}

#[test]
fn the_host_name_is_the_policys() {
    let Some(subject) = subject_with_proc() else { return };
    let report = Job::new(&subject, &guests::CAT)
        .args(["/proc/sys/kernel/hostname"])
        .policy(|policy| policy.process.hostname = "judge-7".to_owned())
        .run();
    assert_eq!(printed(&report), "judge-7\n");
}

#[test]
fn the_mount_table_holds_what_the_policy_names() {
    let Some(subject) = subject_with_proc() else { return };
    let scratch = Scratch::new();
    let report = Job::new(&subject, &guests::MOUNTS)
        .mount(Mount::read_only(scratch.path(), "/data"))
        .mount(Mount::tmpfs("/scratch", None))
        .run();
    let table = printed(&report);
    let mut binds = BTreeSet::new();
    for line in table.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (root, point, options) = (fields[3], fields[4], fields[5]);
        let ours = ["/data", "/scratch", "/proc", "/dev", "/tmp", "/etc"]
            .iter()
            .any(|top| point == *top || point.starts_with(&format!("{top}/")));
        let system = ["/usr", "/bin", "/sbin", "/lib"].iter().any(|top| point.starts_with(top));
        assert!(point == "/" || ours || system, "{line}");
        let filesystem = line.split(" - ").nth(1).and_then(|rest| rest.split(' ').next());
        assert!(!matches!(filesystem, Some("cgroup" | "cgroup2" | "sysfs")), "{line}");
        assert!(options.split(',').any(|option| option == "nosuid"), "{line}");
        if root.contains("conformance-") {
            binds.insert(point);
        }
    }
    assert_eq!(binds, BTreeSet::from(["/data"]), "{table}");
}

#[test]
fn proc_is_read_only_and_tells_nothing_of_the_host() {
    let Some(subject) = subject_with_proc() else { return };
    let table = see(&subject, &guests::MOUNTS);
    let proc = table.lines().find(|line| line.contains(" /proc ")).expect("it is mounted");
    assert!(proc.contains(" /proc ro,"), "{proc}");
    for path in
        ["/proc/kallsyms", "/proc/keys", "/proc/interrupts", "/proc/timer_list", "/proc/kcore"]
    {
        let report = Job::new(&subject, &guests::CAT).args([path]).run();
        let said = printed(&report);
        assert!(said.is_empty() || said.starts_with("open: "), "{path}: {said}");
    }
}

#[test]
fn standard_streams_can_be_reopened_by_name() {
    let Some(subject) = subject_with_proc() else { return };
    let report = Job::new(&subject, &guests::WRITE_DEV_STDERR).run();
    assert!(report.verdict.success(), "{:?}: {}", report.verdict, printed(&report));
    assert_eq!(report.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(report.stderr.iter().filter(|byte| **byte == b'\n').count(), 1);
}
