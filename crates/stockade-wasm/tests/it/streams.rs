//! Input in every form, and output up to the last byte.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write, pipe};
use std::thread;
use std::time::Duration;

use stockade_core::{Bytes, Control, Limit, OutputOverflow, Policy, Stdio, Verdict};

use crate::guests::{cat, flood, guest, print};
use crate::{assert_exited, assert_limit, assert_wall_stops, prepare, run, run_with, wait_soon};

fn output(bytes: u64, overflow: OutputOverflow) -> Policy {
    let mut policy = Policy::default();
    policy.limits.output = Limit::At(Bytes(bytes));
    policy.limits.output_overflow = overflow;
    policy
}

#[test]
fn bytes_arrive_whatever_their_number() {
    for len in [0, 1, 32_768, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let stdio = Stdio::captured().stdin(bytes.clone());
        let report = run_with(&Policy::default(), &cat(), stdio);
        assert_exited(&report, 0);
        assert_eq!(report.stdout, bytes);
    }
}

#[test]
fn a_file_is_read_from_where_it_stands() {
    let path = std::env::temp_dir().join(format!("stockade-wasm-{}", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(b"skipped, read").unwrap();
    file.seek(SeekFrom::Start(9)).unwrap();
    let report = run_with(&Policy::default(), &cat(), Stdio::captured().stdin(file));
    assert_eq!(report.stdout, b"read");
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let (reader, mut writer) = pipe().unwrap();
    let feeder = thread::spawn(move || writer.write_all(&[7; 200_000]).unwrap());
    let stdin = std::os::fd::OwnedFd::from(reader);
    let report = run_with(&Policy::default(), &cat(), Stdio::captured().stdin(stdin));
    feeder.join().unwrap();
    assert_exited(&report, 0);
    assert_eq!(report.stdout, [7; 200_000]);
}

#[test]
fn live_streams_carry_more_than_they_hold() {
    let mut run = prepare(&Policy::default(), &cat()).start(Stdio::streamed()).unwrap();
    let (mut stdin, mut stdout) = (run.stdin().unwrap(), run.stdout().unwrap());
    assert!(run.stdin().is_none());
    stdin.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stdout.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
    let feeder = thread::spawn(move || stdin.write_all(&[9; 500_000]).unwrap());
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    feeder.join().unwrap();
    assert_eq!(rest, [9; 500_000]);
    let report = run.wait().unwrap();
    assert_exited(&report, 0);
    assert_eq!(report.usage.stdout_bytes, 500_004);
}

#[test]
fn writing_to_a_guest_that_has_ended_is_a_broken_pipe() {
    let mut run = prepare(&Policy::default(), &guest("")).start(Stdio::streamed()).unwrap();
    let (mut stdin, mut stdout) = (run.stdin().unwrap(), run.stdout().unwrap());
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    let error = stdin.write_all(&[0; 200_000]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert_exited(&run.wait().unwrap(), 0);
}

#[test]
fn live_ends_that_nobody_takes_hold_nothing_up() {
    let run = prepare(&Policy::default(), &cat()).start(Stdio::streamed()).unwrap();
    assert_exited(&wait_soon(run).unwrap(), 0);
    let run = prepare(&output(1 << 20, OutputOverflow::Stop), &flood());
    let report = wait_soon(run.start(Stdio::streamed()).unwrap()).unwrap();
    assert_limit(&report, Control::Output);
}

#[test]
fn output_that_just_fits_is_whole() {
    for fd in [1, 2] {
        let report = run(&output(1000, OutputOverflow::Stop), &print(fd, 1000));
        assert_exited(&report, 0);
        let printed = if fd == 1 { &report.stdout } else { &report.stderr };
        assert_eq!(printed.len(), 1000);
        assert!(!report.output.stdout_truncated && !report.output.stderr_truncated);
    }
}

#[test]
fn one_byte_more_stops_the_run_and_keeps_what_fits() {
    for fd in [1, 2] {
        let report = run(&output(1000, OutputOverflow::Stop), &print(fd, 1001));
        let expected = Verdict::Limit { control: Control::Output, limit: 1000, observed: 1001 };
        assert_eq!(report.verdict, expected);
        let printed = if fd == 1 { &report.stdout } else { &report.stderr };
        assert_eq!(printed.len(), 1000);
        assert_eq!(report.output.stdout_truncated, fd == 1);
        assert_eq!(report.output.stderr_truncated, fd == 2);
    }
}

#[test]
fn one_byte_more_is_dropped_and_flagged_where_the_policy_says_so() {
    let report = run(&output(1000, OutputOverflow::Truncate), &print(2, 1001));
    assert_exited(&report, 0);
    assert_eq!(report.stderr.len(), 1000);
    assert!(report.output.stderr_truncated && !report.output.stdout_truncated);
    assert_eq!(report.usage.stderr_bytes, 1001);
}

#[test]
fn discarded_output_is_counted_and_limited() {
    let report = run_with(&output(100_000, OutputOverflow::Stop), &flood(), Stdio::discarded());
    assert_limit(&report, Control::Output);
    assert!(report.stdout.is_empty());
}

#[test]
fn a_read_of_what_is_never_written_ends_with_the_wall_time() {
    let (reader, _writer) = pipe().unwrap();
    assert_wall_stops(&cat(), Stdio::captured().stdin(std::os::fd::OwnedFd::from(reader)));
}

#[test]
fn a_read_of_a_live_input_that_is_never_written_ends_with_the_wall_time() {
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::from_millis(200).into();
    let mut run = prepare(&policy, &cat()).start(Stdio::streamed()).unwrap();
    let _stdin = run.stdin().unwrap();
    assert_limit(&wait_soon(run).unwrap(), Control::WallTime);
}

/// `isatty` of a C library goes by the type; an interpreter that sees a terminal prompts.
#[test]
fn no_stream_is_a_terminal() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $stat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_get"
            (func $filestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (local $fd i32) (local $types i32)
            (loop $next
                (i32.store8 (i32.const 0) (i32.const 9))
                (i32.store8 (i32.const 80) (i32.const 9))
                (drop (call $stat (local.get $fd) (i32.const 0)))
                (drop (call $filestat (local.get $fd) (i32.const 64)))
                (local.set $types (i32.or (local.get $types)
                    (i32.or (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const 80)))))
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $fd) (i32.const 3))))
            (call $exit (local.get $types))))"#;
    assert_exited(&run(&Policy::default(), text), 0);
}

#[test]
fn signals_of_the_host_are_left_to_its_own_threads() {
    /// SIGHUP, SIGINT and SIGTERM, as masks in /proc have them.
    const HOSTS: u64 = 0x4003;
    /// SIGILL, SIGBUS, SIGFPE and SIGSEGV.
    const GUESTS: u64 = 0x4c8;
    let masks = |name: &str| -> Vec<u64> {
        let tasks = std::fs::read_dir("/proc/self/task").expect("this process has threads");
        let texts =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
        let of_name = texts.filter(|text| text.starts_with(&format!("Name:\t{name}\n")));
        of_name
            .map(|text| {
                let mask = text.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
                u64::from_str_radix(mask.expect("a thread has a mask"), 16).expect("it is a number")
            })
            .collect()
    };
    let prepared = prepare(&Policy::default(), &cat());
    let mut run = prepared.start(Stdio::streamed()).expect("it starts");
    let mut input = run.stdin().expect("it is streamed");
    let mut output = run.stdout().expect("it is streamed");
    // It runs once it answers.
    input.write_all(b"x").expect("it reads");
    output.read_exact(&mut [0]).expect("it answers");

    for name in ["stockade-guest", "stockade-epoch"] {
        let masks = masks(name);
        assert!(!masks.is_empty(), "there is no {name}");
        for mask in masks {
            assert_eq!((mask & HOSTS, mask & GUESTS), (HOSTS, 0), "{name}: {mask:#x}");
        }
    }
    drop(input);
    assert_exited(&run.wait().expect("it ends"), 0);
}
