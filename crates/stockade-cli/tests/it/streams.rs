//! Streams pass through as they come, whatever happens at either end.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{Outcome, feed, run, run_command, start};

/// Waits for a program inside to print a line.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    BufReader::with_capacity(1, stdout).read_line(&mut line).expect("a line");
    line
}

fn outcome(child: Child) -> Outcome {
    child.wait_with_output().expect("the command ends").into()
}

#[test]
fn all_three_streams_pass_through() {
    let script = "read line; echo out $line; echo err $line >&2; exit 3";
    let output = feed(start(&["sh", "-c", script]), b"hello\n".to_vec());
    let outcome = Outcome::from(output);
    assert_eq!(outcome.code, 3);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out hello\n", "err hello\n"));
}

#[test]
fn bytes_are_passed_on_unchanged_and_in_full() {
    let bytes: Vec<u8> = (0..8_u32 << 20).map(|index| (index ^ (index >> 8)) as u8).collect();
    let output = feed(start(&["--output", "unlimited", "cat"]), bytes.clone());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
}

#[test]
fn a_line_arrives_while_the_program_still_runs() {
    let mut child = start(&["sh", "-c", "echo first; read line; echo second"]);
    assert_eq!(first_line(&mut child), "first\n");
    child.stdin.as_mut().expect("a pipe").write_all(b"go\n").expect("it reads");
    let outcome = outcome(child);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "second\n"));
}

#[test]
fn input_that_never_ends_does_not_keep_the_command_alive() {
    let began = Instant::now();
    let mut child = start(&["true"]);
    let held = child.stdin.take();
    assert_eq!(outcome(child).code, 0);
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(held);
}

#[test]
fn input_that_is_not_read_is_no_error() {
    let output = feed(start(&["true"]), vec![0; 4 << 20]);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let mut child = start(&["--output", "unlimited", "yes"]);
    let mut bytes = [0; 4];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut bytes).expect("output");
    drop(stdout);
    let outcome = outcome(child);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (141, ""));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut command = run_command();
    command.args(["echo", "hello"]).stdin(Stdio::null()).stdout(full);
    let outcome = Outcome::from(command.output().expect("the command starts"));
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot write standard output"), "{outcome:?}");
}

#[test]
fn a_signal_kills_the_program_and_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        // A program that ignores both is killed all the same.
        let mut child = start(&["sh", "-c", "trap '' INT TERM; echo ready; sleep 60; sleep 60"]);
        assert_eq!(first_line(&mut child), "ready\n");
        let kill = format!("kill -{signal} {}", child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("sh starts");
        assert!(sent.success());
        let outcome = outcome(child);
        assert_eq!(outcome.code, code, "{outcome:?}");
        let line = format!("stockade: interrupted by SIG{signal}: the program was killed\n");
        assert_eq!(outcome.stderr, line);
    }
}

#[test]
fn a_blocked_reader_does_not_hold_up_an_interrupted_command() {
    let mut child = start(&["--output", "unlimited", "yes"]);
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 4]).expect("output");
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh starts").success());
    assert_eq!(child.wait().expect("the command ends").code(), Some(130));
    drop(stdout);
}

#[test]
fn output_that_is_cut_is_mentioned() {
    let policy = crate::command::TempDir::new();
    let file = policy.file("policy.toml", "[limits]\noutput = 4\noutput_overflow = \"truncate\"");
    let outcome = run(&["--policy", &file, "echo", "hello"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "hell"));
    assert_eq!(outcome.stderr, "stockade: note: standard output was cut at the output limit\n");
}
