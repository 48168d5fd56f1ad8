//! Every system call against the golden table, asked of the kernel this runs on.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use stockade_conformance::{Job, Scratch};
use stockade_core::{Ability, Control, Sandbox, SyscallProfile, Verdict};
use stockade_guests as guests;

use crate::machine::{Subject, expects, patience, subject};
use crate::view::printed;

#[cfg(target_arch = "x86_64")]
const TABLE: &str = include_str!("../../../stockade-seccomp/tests/syscalls/x86_64.txt");
#[cfg(target_arch = "aarch64")]
const TABLE: &str = include_str!("../../../stockade-seccomp/tests/syscalls/aarch64.txt");

/// The answer to each number under one profile.
type Answers = BTreeMap<u32, String>;

/// A section of the table; a run of numbers is spread out.
fn section(title: &str, profile: SyscallProfile) -> Answers {
    let heading = format!("[{title}]");
    let rows = TABLE.lines().skip_while(|line| *line != heading).skip(1);
    let mut answers = Answers::new();
    for row in rows.take_while(|row| !row.is_empty()) {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let [numbers, _, default, strict] = fields[..] else { continue };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let number = |text: &str| text.parse::<u32>().expect("a row begins with numbers");
        let answer = if profile == SyscallProfile::Strict { strict } else { default };
        answers.extend((number(first)..=number(last)).map(|at| (at, answer.to_owned())));
    }
    answers
}

/// What an entry into the kernel must answer here.
fn expected(subject: &Subject, title: &str, profile: SyscallProfile) -> Answers {
    let mut answers = section(title, profile);
    assert!(!answers.is_empty(), "the table has no section {title}");
    let memory = subject.backend().support().ability(Control::Memory);
    if !matches!(memory, Ability::Enforced { .. }) {
        answers.extend(section(&format!("{title}, where no group counts memory"), profile));
    }
    answers
}

/// What the kernel did, as the guest tells it, against the table. A call that is let through ends in
/// any way but the filter's; `kill` and an errno are told apart from everything else.
fn agrees(answer: &str, said: &str) -> bool {
    let killed = format!("signal {}", libc::SIGSYS);
    match answer.trim_end_matches('*') {
        "allow" => said != killed,
        "kill" => said == killed,
        "success" => said == "ok",
        "EPERM" => said == libc::EPERM.to_string(),
        "ENOSYS" => said == libc::ENOSYS.to_string(),
        "ENOTSOCK" => said == libc::ENOTSOCK.to_string(),
        "EAFNOSUPPORT" => said == libc::EAFNOSUPPORT.to_string(),
        other => panic!("the table says {other}"),
    }
}

/// Calls that newer kernels let past every filter (`kernel/seccomp.c`), because they write them into
/// programs themselves, and how they answer a program that makes one: uretprobe with `SIGILL`, uprobe
/// with `ENXIO`.
const PAST_FILTERS: [(u32, &str); 2] = [(335, "signal 4"), (336, "6")];

fn is_past_filters(title: &str, number: u32, said: &str) -> bool {
    cfg!(target_arch = "x86_64") && title == "64-bit" && PAST_FILTERS.contains(&(number, said))
}

/// Tries every number of an entry under both profiles.
fn probe(entry: &str, title: &str) {
    let Some(subject) = subject() else { return };
    for profile in [SyscallProfile::Default, SyscallProfile::Strict] {
        let expected = expected(&subject, title, profile);
        let last = expected.keys().next_back().expect("there are answers").to_string();
        // Waits for every disk of the host where it is let through.
        let sync = libc::SYS_sync as u32;
        let left_out = (expected[&sync] == "allow").then(|| sync.to_string());
        let wait = patience(Duration::from_secs(1)).as_millis().to_string();
        let report = Job::new(&subject, &guests::EVERY_SYSCALL)
            .args([entry, &last, &wait])
            .args(&left_out)
            .policy(|policy| {
                policy.syscalls.profile = profile;
                policy.limits.cpu_time = patience(Duration::from_secs(20)).into();
                policy.limits.wall_time = patience(Duration::from_secs(60)).into();
            })
            .run();
        let said = printed(&report);
        assert_eq!(report.verdict, Verdict::Exited { code: 0 }, "{title} {profile:?}: {said}");
        let mut said: BTreeMap<u32, &str> = said
            .lines()
            .map(|line| line.split_once(' ').expect("a line is a number and a result"))
            .map(|(number, result)| (number.parse().expect("a number"), result))
            .collect();
        if left_out.is_some() {
            assert_eq!(said.insert(sync, "left out"), None);
        }
        assert!(said.keys().eq(expected.keys()), "{title} {profile:?}: every number once");
        let wrong: Vec<String> = expected
            .iter()
            .filter(|(number, answer)| {
                let said = said[*number];
                !agrees(answer, said) && !is_past_filters(title, **number, said)
            })
            .map(|(number, answer)| format!("{number}: {answer}, but {}", said[number]))
            .collect();
        assert!(wrong.is_empty(), "{title} {profile:?}: {wrong:#?}");
    }
}

#[test]
fn every_system_call_is_answered_as_the_table_says() {
    probe("native", "64-bit");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_x32_call_is_answered_as_the_table_says() {
    probe("x32", "x32");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_32_bit_call_is_answered_as_the_table_says() {
    // Unsandboxed: asks for its own process id.
    let scratch = Scratch::new();
    let program = guests::INT80.install(scratch.path()).expect("there is room");
    let plain = Command::new(program).output().expect("the guest starts");
    if !plain.status.success() {
        return expects("ia32", "this kernel has no 32-bit entry");
    }
    probe("int80", "i386");
}
