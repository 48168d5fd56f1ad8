//! One run after another in what is reused: pooled namespaces, groups made ahead, roots, and
//! sandboxes that wait. The next finds what the first found.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::process::Command;
use std::thread;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Bytes, NetworkMode, Prepared, Report, Stdio};
use stockade_guests as guests;

use crate::machine::{Subject, expects, has_cgroup, landlock, soon, subject_with_proc};

/// What a tenant found, by what it is.
type Portrait<'a> = BTreeMap<&'a str, &'a str>;

/// What one found when it came, and when it had left all it could.
fn portraits(said: &str) -> [Portrait<'_>; 2] {
    let read = |part: &'static str, text: &'_ str| {
        assert!(text.ends_with("end: of it\n"), "{part} is not whole: {text}");
    };
    let (first, last) = said.split_once("---\n").expect("there are two portraits");
    read("the first", first);
    read("the last", last);
    [first, last].map(|text| text.lines().filter_map(|line| line.split_once(": ")).collect())
}

/// What is said of one thing and the other, where that differs.
fn differences(one: &Portrait<'_>, other: &Portrait<'_>) -> Vec<String> {
    let both: BTreeMap<_, _> = one.iter().chain(other).collect();
    let differs = |what: &&&&str| one.get(**what) != other.get(**what);
    let say = |what: &&str| format!("{what}: {:?}, then {:?}", one.get(what), other.get(what));
    both.keys().filter(differs).map(|what| say(what)).collect()
}

fn start(prepared: &dyn Prepared) -> Report {
    let run = prepared.start(Stdio::captured()).expect("it starts");
    let report = Job::wait(run).expect("it is reported");
    assert!(report.verdict.success(), "{:?}", report.verdict);
    report
}

fn said(report: &Report) -> &str {
    std::str::from_utf8(&report.stdout).expect("it writes UTF-8")
}

fn waiting(subject: &Subject) -> u64 {
    subject.backend().census().expect("the warden answers").waiting
}

/// What tenants change of themselves in a sandbox, so that the comparison can see it.
const THEIR_OWN: [&str; 11] = [
    "/dev/shm/stockade-tenant",
    "/tmp/stockade-tenant",
    "directory",
    "io priority",
    "limit 7",
    "message queue",
    "nice",
    "semaphores",
    "timer",
    "timer slack",
    "umask",
];

/// What namespaces have of their own to be set.
const SETTINGS: [&str; 6] = [
    "/proc/sys/fs/mqueue/msg_max",
    "/proc/sys/kernel/shmmax 0",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/net/ipv4/ip_default_ttl",
    "/proc/sys/net/unix/max_dgram_qlen",
    "/proc/sys/user/max_net_namespaces",
];

#[test]
fn the_next_tenant_finds_what_the_first_one_found() {
    let Some(subject) = subject_with_proc() else { return };
    for mode in [NetworkMode::None, NetworkMode::Loopback] {
        for warm in [0, 1] {
            let job = Job::new(&subject, &guests::TENANT).policy(|policy| {
                policy.network.mode = mode;
                policy.limits.output = Bytes(1 << 20).into();
            });
            let prepared = job.prepare();
            let next = || {
                assert!(soon(|| waiting(&subject) == warm as u64));
                start(&*prepared)
            };
            prepared.warm(warm).expect("it is no wish too many");
            let first = next();
            let [came, left] = portraits(said(&first));
            for what in THEIR_OWN {
                assert_ne!(came.get(what), left.get(what), "{what} cannot be changed in {mode:?}");
            }
            assert_eq!(came["settings that can be set"], "0");
            assert_eq!(left["abstract socket"], "met", "it met its own in {mode:?}");
            for number in 2..6 {
                let report = next();
                let [mut found, _] = portraits(said(&report));
                if landlock(&subject) < 6 {
                    // The kernel may still have to collect the last one's.
                    found.insert("abstract socket", came["abstract socket"]);
                }
                let differences = differences(&came, &found);
                assert!(differences.is_empty(), "{mode:?}, {number}: {differences:#?}");
            }
            let slots = subject.backend().census().expect("the warden answers").slots;
            assert!(slots <= 4, "{slots} pairs of namespaces were made for one run after another");
            drop(prepared);
            assert!(soon(|| waiting(&subject) == 0));
        }
    }
}

/// The same program finds all of it where two share namespaces in which they may do everything.
#[test]
fn where_namespaces_are_shared_the_next_tenant_finds_what_the_first_one_left() {
    let scratch = Scratch::new();
    let tenant = guests::TENANT.install(scratch.path()).expect("there is room");
    let output = loop {
        match Command::new(&tenant).arg("shared").output() {
            // What another thread has forked meanwhile has it open for writing.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
            output => break output.expect("it starts"),
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(3) {
        expects("userns", &text);
        return;
    }
    assert!(output.status.success(), "{output:?}");
    let (first, second) = text.split_once("===\n").expect("there were two");
    let ([came, left], [found, _]) = (portraits(first), portraits(second));
    for what in
        THEIR_OWN.into_iter().chain(["/proc/self/coredump_filter 0", "/proc/self/oom_score_adj 0"])
    {
        assert_ne!(came.get(what), left.get(what), "{what} is not seen");
    }
    for what in [
        "/dev/shm/stockade-tenant",
        "/proc/net/fib_trie 0",
        "/proc/net/route 0",
        "/tmp/stockade-tenant",
        "domain name",
        "files in /tmp",
        "host name",
        "interface lo",
        "io priority",
        "message queue",
        "named queue",
        "nice",
        "semaphores",
        "shared memory",
    ] {
        assert_ne!(came.get(what), found.get(what), "{what} is not seen");
    }
    // A container's engine may refuse these to everybody in it.
    if came["key"] != "EPERM" {
        assert_ne!(came["key"], found["key"], "a key is not seen");
    }
    if came["settings that can be set"] != "0" {
        // Older kernels (6.1 is one) show some of them to nobody in such a namespace.
        let seen: Vec<_> = SETTINGS.into_iter().filter(|what| came.contains_key(what)).collect();
        assert!(seen.len() >= 2, "{seen:?}");
        for what in seen {
            assert_ne!(came.get(what), found.get(what), "{what} is not seen");
        }
    }
}

/// What the kernel counts per user; the first line is of timers, which count as pending signals.
#[test]
fn a_tenant_leaves_to_others_what_the_kernel_counts_per_user() {
    let Some(subject) = subject_with_proc() else { return };
    let alone = said(&Job::new(&subject, &guests::QUOTAS).run()).to_owned();
    let timers = alone.lines().find_map(|line| line.strip_prefix("timers ")?.parse::<u64>().ok());
    assert!(timers.is_some_and(|timers| (1..=1024).contains(&timers)), "{alone}");
    let holder = Job::new(&subject, &guests::QUOTAS).args(["60000"]).prepare();
    let holders: Vec<_> = (0..4)
        .map(|_| {
            let mut run = holder.start(Stdio::streamed()).expect("it starts");
            let mut said = vec![0; alone.len()];
            run.stdout().expect("output is streamed").read_exact(&mut said).expect("it holds");
            assert_eq!(String::from_utf8_lossy(&said), alone);
            run
        })
        .collect();
    // Beside those that hold, and after one that held.
    for _ in 0..8 {
        assert_eq!(said(&Job::new(&subject, &guests::QUOTAS).run()), alone);
    }
    for run in holders {
        run.killer().kill();
        Job::wait(run).expect("it is reported");
    }
}

#[test]
fn what_a_tenant_held_is_not_charged_to_the_next() {
    const MUCH: u64 = 24;
    let Some(subject) = subject_with_proc() else { return };
    if !has_cgroup(&subject) {
        return;
    }
    let large = |policy: &mut stockade_core::Policy| {
        policy.limits.memory = Bytes(64 << 20).into();
        policy.limits.disk = Bytes(64 << 20).into();
    };
    let bytes = MUCH.to_string();
    let files = Job::new(&subject, &guests::TMPFS_BOMB).args([&bytes, "/tmp"]).policy(large);
    let anonymous = Job::new(&subject, &guests::MEMORY_BOMB).args([&bytes]).policy(large);
    let forks = Job::new(&subject, &guests::FORK_COUNT).args(["20"]).policy(large);
    let little = Job::new(&subject, &guests::HELLO).policy(large);
    for warm in [0, 1] {
        let all = [&files, &anonymous, &forks, &little].map(|job| job.prepare());
        for prepared in &all {
            prepared.warm(warm).expect("it is no wish too many");
        }
        let [files, anonymous, forks, little] = &all;
        for _ in 0..3 {
            for large in [files, anonymous] {
                let held = start(&**large).usage.peak_memory;
                assert!(held >= MUCH << 20, "{held}");
                let next = start(&**little).usage;
                assert!(next.peak_memory < MUCH << 19, "{next:?}");
            }
            let many = start(&**forks).usage.peak_processes;
            assert!(many >= 20, "{many}");
            let next = start(&**little).usage;
            assert!(next.peak_processes <= 2, "{next:?}");
        }
    }
}
