//! Calls with arguments that no honest guest makes.

use std::time::Duration;

use stockade_core::Policy;

use crate::guests::{guest, guest_with};
use crate::{assert_exited, run, wall};

const BADF: i32 = 8;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
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
    assert_errno(&call("write", &[3, 64, 1, 8]), BADF);
    assert_errno(&call("write", &[-1, 64, 1, 8]), BADF);
    assert_errno(&call("read", &[1, 64, 1, 8]), BADF);
    assert_errno(&call("close", &[3]), BADF);
    let closed = "(call $done (call $close (i32.const 1)))
        (call $done (call $say (i32.const 1) (i32.const 64) (i32.const 4)))";
    assert_exited(&run(&Policy::default(), &guest(closed)), BADF);
    let twice = "(call $done (call $close (i32.const 2))) (call $done (call $close (i32.const 2)))";
    assert_exited(&run(&Policy::default(), &guest(twice)), BADF);
}

#[test]
fn a_stream_cannot_be_sought_and_there_is_no_directory() {
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
                (i32.mul (i32.const 10000) (call $open (i32.const 3) (i32.const 0) (i32.const 0)
                    (i32.const 1) (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0)
                    (i32.const 64))))))))"#;
    assert_exited(&run(&Policy::default(), text), SPIPE + 100 * BADF + 10_000 * BADF);
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
