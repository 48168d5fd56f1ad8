//! Every limit, hit by a program that misbehaves.
//!
//! Each program is bounded in itself: a limit that does not hold fails the test and leaves the
//! machine standing.

use serde_json::Value;

use crate::command::{Outcome, lacks, run, run_reported};

/// Runs a program that must hit `control`, and checks status, line and verdict.
fn hit(control: &str, line: &str, words: &[&str]) -> (Outcome, Value) {
    let (outcome, report) = run_reported(words);
    assert_eq!(outcome.code, 124, "{outcome:?}\n{report:#}");
    let verdict = &report["verdict"];
    assert_eq!((&verdict["kind"], &verdict["control"]), (&"limit".into(), &control.into()));
    let said = format!("stockade: stopped: {control} limit {line} reached (");
    assert!(outcome.stderr.lines().any(|line| line.starts_with(&said)), "{outcome:?}");
    let receipt = report["enforcement"].as_array().expect("a receipt");
    let entry = receipt.iter().find(|entry| entry["control"] == control).expect("its entry");
    assert_ne!(entry["status"], "not_enforced", "{entry}");
    (outcome, report)
}

#[test]
fn memory() {
    let bomb = "x = bytearray(10**9)";
    let (_, report) = hit("memory", "64 MiB", &["--memory", "64MiB", "--", "python3", "-c", bomb]);
    assert_eq!(report["verdict"]["limit"], 64 << 20);
}

#[test]
fn memory_held_by_a_child() {
    let bomb = "import os\nif os.fork() == 0: x = bytearray(10**9)\nelse: os.wait()";
    hit("memory", "64 MiB", &["--memory", "64MiB", "--", "python3", "-c", bomb]);
}

#[test]
fn cpu_time() {
    let (_, report) =
        hit("cpu_time", "0.5 s", &["--cpu-time", "500ms", "sh", "-c", "while :; do :; done"]);
    assert_eq!(report["verdict"]["limit"], 500_000_000);
}

#[test]
fn wall_time() {
    let (_, report) = hit("wall_time", "0.3 s", &["--wall-time", "300ms", "sleep", "30"]);
    assert!(report["verdict"]["observed"].as_u64() >= Some(300_000_000), "{report:#}");
}

#[test]
fn processes() {
    let bomb = "\
import os, time
for _ in range(32):
    try:
        if os.fork() == 0: time.sleep(10)
    except OSError:
        time.sleep(10)";
    hit("processes", "8", &["--processes", "8", "--", "python3", "-c", bomb]);
}

#[test]
fn open_files() {
    let flood = "\
import time
held = []
try:
    while len(held) < 64: held.append(open('/dev/null'))
except OSError:
    time.sleep(0.3)
    raise";
    hit("open_files", "16", &["--open-files", "16", "--", "python3", "-c", flood]);
}

#[test]
fn file_size() {
    let words = ["--file-size", "1MiB", "dd", "if=/dev/zero", "of=/tmp/big", "bs=64k", "count=64"];
    hit("file_size", "1 MiB", &words);
}

#[test]
fn disk() {
    let flood = "head -c 16777216 /dev/zero > /tmp/big";
    hit("disk", "1 MiB", &["--disk", "1MiB", "--file-size", "unlimited", "sh", "-c", flood]);
}

#[test]
fn output() {
    let (outcome, _) =
        hit("output", "4 KiB", &["--output", "4KiB", "sh", "-c", "yes | head -c 1048576"]);
    assert_eq!(outcome.stdout, "y\n".repeat(2048));
}

#[test]
fn cpus_make_a_program_slower_and_do_not_stop_it() {
    if lacks("limits::cpus_make_a_program_slower_and_do_not_stop_it", "cpus") {
        return;
    }
    let work = "\
import time
while time.process_time() < 0.3: pass";
    let (outcome, report) = run_reported(&["--cpus", "0.25", "--", "python3", "-c", work]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(report["usage"]["wall_ns"].as_u64() >= Some(800_000_000), "{report:#}");
}

#[test]
fn a_program_within_its_limits_is_left_alone() {
    let outcome = run(&["--", "python3", "-c", "print(1 + 1)"]);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "2\n", ""));
}
