//! Calls with arguments that no honest guest makes, and work without end.

use std::time::Duration;
use std::{env, fs};

use stockade_core::{ErrorKind, OutputOverflow, Policy, Stdio};

use crate::guests::{guest, guest_with};
use crate::{assert_exited, assert_wall_stops, module, refused, run, run_with, wall};

const BADF: i32 = 8;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
const NOENT: i32 = 44;
const SPIPE: i32 = 70;

/// Runs a guest that ends with the errno of this call.
fn assert_errno(call: &str, errno: i32) {
    let text = guest_with("(memory (export \"memory\") 8)", "", &format!("(call $done {call})"));
    assert_exited(&run(&wall(Duration::from_secs(5)), &text), errno);
}

fn call(name: &str, arguments: &[i64]) -> String {
    let constants = arguments.iter().map(|n| format!(" (i32.const {n})")).collect::<String>();
    format!("(call ${name}{constants})")
}

#[test]
fn too_many_subscriptions_are_invalid_and_none_as_well() {
    assert_errno(&call("poll", &[64, 64, 10_000, 32]), INVAL);
    assert_errno(&call("poll", &[64, 64, 0, 32]), INVAL);
    assert_errno(&call("poll", &[64, 64, -1, 32]), INVAL);
}

#[test]
fn subscriptions_outside_memory_are_a_fault() {
    assert_errno(&call("poll", &[-16, 64, 1, 32]), FAULT);
    assert_errno(&call("poll", &[64, -16, 1, 32]), FAULT);
    assert_errno(&call("poll", &[64, 256, 1, -2]), FAULT);
    assert_errno(&call("poll", &[524_200, 64, 4096, 32]), FAULT);
}

#[test]
fn lists_of_parts_that_are_too_long_or_outside_memory_are_refused() {
    assert_errno(&call("write", &[1, 0, 1 << 27, 8]), INVAL);
    assert_errno(&call("write", &[1, -4, 1, 8]), FAULT);
    assert_errno(&call("write", &[1, 524_286, 1, 8]), FAULT);
    assert_errno(&call("write", &[1, 64, 1, -1]), FAULT);
    assert_errno(&call("read", &[0, -4, 1, 8]), FAULT);
    assert_errno(&call("read", &[0, 64, 1, -1]), FAULT);
}

#[test]
fn parts_that_point_outside_memory_are_a_fault() {
    for (at, len) in [(-1, 1), (524_280, 9), (0, -1), (-1, -1)] {
        let start = format!(
            "(i32.store (i32.const 64) (i32.const {at})) (i32.store (i32.const 68) (i32.const {len}))
            (call $done (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 8)))"
        );
        let text = guest_with("(memory (export \"memory\") 8)", "", &start);
        let report = run(&wall(Duration::from_secs(5)), &text);
        assert_exited(&report, FAULT);
        assert!(report.stdout.is_empty());
    }
}

#[test]
fn descriptors_that_are_not_there_are_bad() {
    assert_errno(&call("write", &[0, 64, 1, 8]), BADF);
    assert_errno(&call("write", &[4, 64, 1, 8]), BADF);
    assert_errno(&call("write", &[-1, 64, 1, 8]), BADF);
    assert_errno(&call("read", &[1, 64, 1, 8]), BADF);
    assert_errno(&call("close", &[4]), BADF);
    let closed = "(call $done (call $close (i32.const 1)))
        (call $done (call $say (i32.const 1) (i32.const 64) (i32.const 4)))";
    assert_exited(&run(&Policy::default(), &guest(closed)), BADF);
    let twice = "(call $done (call $close (i32.const 2))) (call $done (call $close (i32.const 2)))";
    assert_exited(&run(&Policy::default(), &guest(twice)), BADF);
}

#[test]
fn a_stream_cannot_be_sought_and_there_is_one_directory() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_seek"
            (func $seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get"
            (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (call $exit (i32.add
                (call $seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 64))
                (i32.add (i32.mul (i32.const 100) (call $prestat (i32.const 3) (i32.const 64)))
                (i32.mul (i32.const 10000) (call $open (i32.const 3) (i32.const 0) (i32.const 68)
                    (i32.const 1) (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0)
                    (i32.const 64))))))))"#;
    assert_exited(&run(&Policy::default(), text), SPIPE + 10_000 * NOENT);
}

#[test]
fn two_gigabytes_of_random_numbers_do_not_fit_and_cost_no_memory() {
    assert_errno(&call("random", &[0, 1 << 31]), FAULT);
    assert_errno(&call("random", &[-1, 2]), FAULT);
    assert_errno(&call("random", &[0, 0]), 0);
    assert_errno(&call("random", &[64, 100_000]), 0);
}

#[test]
fn a_guest_without_memory_is_told_that_its_pointers_are_bad() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func (export "_start")
            (call $exit (call $random (i32.const 0) (i32.const 8)))))"#;
    assert_exited(&run(&Policy::default(), text), FAULT);
}

/// Each fill is one instruction, which nothing interrupts.
#[test]
fn a_loop_of_long_fills_ends_with_the_wall_time() {
    let text = guest_with(
        "(memory (export \"memory\") 1600)",
        "",
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 104857600)) (br 0))",
    );
    assert_wall_stops(&text, Stdio::captured());
}

/// Only a library's is called, and a library cannot be run.
#[test]
fn what_a_command_exports_as_initialize_is_not_called() {
    let text = r#"(module (func (export "_initialize") (loop (br 0))) (func (export "_start")))"#;
    assert_exited(&run(&wall(Duration::from_secs(5)), text), 0);
}

#[test]
fn more_tables_than_a_slot_has_are_refused() {
    let tables = "(table 1 funcref)".repeat(100);
    let program = module(&format!(r#"(module {tables} (func (export "_start")))"#));
    assert_eq!(refused(&Policy::default(), &program).kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn deeply_nested_blocks_do_not_overflow_the_stack_of_who_prepares_them() {
    let nest = ["block ".repeat(5000), "end ".repeat(5000)].concat();
    let text = format!(r#"(module (func (export "_start") {nest}))"#);
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let thread = thread.spawn(move || run(&Policy::default(), &text)).expect("a thread");
    assert_exited(&thread.join().expect("no panic"), 0);
}

/// Set in the process of this test's own, whose memory no other test uses.
const ALONE: &str = "STOCKADE_TEST_ALONE";

#[test]
fn a_gibibyte_of_output_takes_no_memory_of_the_host() {
    if env::var_os(ALONE).is_none() {
        let name = "hostile::a_gibibyte_of_output_takes_no_memory_of_the_host";
        let mut itself = std::process::Command::new(env::current_exe().unwrap());
        let output = itself.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output();
        let output = output.expect("the test binary starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        return;
    }
    let flood = guest_with(
        "(memory (export \"memory\") 2)",
        "",
        "(local $left i32) (local.set $left (i32.const 16384))
        (loop $next
            (call $done (call $say (i32.const 1) (i32.const 64) (i32.const 65536)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $next (local.get $left)))",
    );
    let mut policy = Policy::default();
    policy.limits.output_overflow = OutputOverflow::Truncate;
    run(&policy, &flood);
    for stdio in [Stdio::captured(), Stdio::discarded()] {
        // Starts the peak over (proc(5)).
        fs::write("/proc/self/clear_refs", "5").expect("it is this process's own");
        let before = resident("VmRSS:");
        let report = run_with(&policy, &flood, stdio);
        assert_exited(&report, 0);
        assert_eq!(report.usage.stdout_bytes, 1 << 30);
        let peak = resident("VmHWM:");
        assert!(peak < before + (16 << 10), "{before} KiB became {peak} KiB");
    }
}

/// A number of KiB in `/proc/self/status`.
fn resident(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it is there");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
