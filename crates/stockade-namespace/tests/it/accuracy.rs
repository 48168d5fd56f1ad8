//! That limits and counts are what the kernel has: to the byte, the page and the task where it
//! counts, and of the right order where clocks are compared. The figures are those of a benchmark.

use stockade_conformance::Job;
use stockade_core::{Bytes, Control, Limit, Verdict};
use stockade_guests as guests;

use crate::machine::{has_cgroup, subject};

const MIB: u64 = 1 << 20;

#[test]
fn memory_ends_at_the_page() {
    let Some(subject) = subject() else { return };
    if !has_cgroup(&subject) {
        return;
    }
    // Of which the kernel takes whole pages.
    for limit in [24 * MIB, 24 * MIB + 1, 25 * MIB - 1] {
        let report = Job::new(&subject, &guests::MEMORY_BOMB)
            .args(["64"])
            .policy(|policy| policy.limits.memory = Bytes(limit).into())
            .run();
        let Verdict::Limit { control: Control::Memory, limit: at, .. } = report.verdict else {
            panic!("{report:?}")
        };
        assert_eq!(at, limit);
        let peak = report.usage.peak_memory;
        assert!(peak <= limit && peak + 2 * 4096 > limit, "{peak} of {limit}");
    }
}

#[test]
fn output_ends_at_the_byte() {
    let Some(subject) = subject() else { return };
    for (limit, printed) in [(1000u64, 1000u64), (1000, 1001), (65_537, 65_536), (1, 4096)] {
        let report = Job::new(&subject, &guests::STDOUT_FLOOD)
            .args([printed.to_string()])
            .policy(|policy| policy.limits.output = Bytes(limit).into())
            .run();
        let over = printed > limit;
        assert_eq!(!report.verdict.success(), over, "{printed} of {limit}: {report:?}");
        assert_eq!(report.stdout.len() as u64, printed.min(limit));
    }
}

#[test]
fn processes_are_counted_to_the_task() {
    let Some(subject) = subject() else { return };
    if !has_cgroup(&subject) {
        return;
    }
    for (children, limit) in [(7u64, 8u64), (8, 8), (63, 64), (64, 64)] {
        let report = Job::new(&subject, &guests::FORK_COUNT)
            .args([children.to_string()])
            .policy(|policy| policy.limits.processes = Limit::At(limit))
            .run();
        assert_eq!(report.verdict.success(), children < limit, "{children}: {report:?}");
        assert_eq!(report.usage.peak_processes, (children + 1).min(limit), "{report:?}");
    }
}

#[test]
fn cpu_time_and_memory_are_what_the_kernel_accounts() {
    let Some(subject) = subject() else { return };
    let script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; : $(seq 20000)";
    let report = Job::new(&subject, &guests::ACCOUNTED).args(["/bin/sh", "-c", script]).run();
    assert!(report.verdict.success(), "{report:?}");
    let text = String::from_utf8_lossy(&report.stderr).into_owned();
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [micros, kib] = numbers[..] else { panic!("{text}") };
    let cpu = report.usage.cpu_ns() / 1000;
    assert!(cpu >= micros && cpu < micros * 2 + 20_000, "{cpu} µs of {micros} µs");
    assert!(report.usage.peak_memory > 0 && kib > 0, "{report:?}");
}
