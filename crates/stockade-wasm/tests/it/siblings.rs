//! Guests beside each other and after each other.

use std::thread;
use std::time::Duration;

use stockade_core::{Control, Policy, Stdio};

use crate::guests::{HELLO, SPIN, guest, guest_with, sleep};
use crate::{assert_exited, assert_limit, assert_trapped, memory, prepare, run, wall};

#[test]
fn guests_that_end_badly_leave_their_sibling_alone() {
    let mut policy = Policy::default();
    policy.limits.cpu_time = Duration::from_millis(20).into();
    thread::scope(|scope| {
        let sibling = scope.spawn(|| run(&Policy::default(), &sleep(500_000_000)));
        let busy = guest(
            "(local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1)))
                (br_if 0 (i64.lt_u (local.get 0) (i64.const 100000000))))",
        );
        let worker = scope.spawn(move || run(&Policy::default(), &busy));
        for _ in 0..5 {
            assert_trapped(&run(&Policy::default(), &guest("unreachable")), "unreachable");
            assert_limit(&run(&policy, SPIN), Control::CpuTime);
            assert_limit(
                &run(&wall(Duration::from_millis(10)), &sleep(u64::MAX)),
                Control::WallTime,
            );
            let bomb = guest("(loop (drop (memory.grow (i32.const 1))) (br 0))");
            assert_limit(&run(&memory(1 << 20), &bomb), Control::Memory);
        }
        assert_exited(&sibling.join().expect("no panic"), 0);
        assert_exited(&worker.join().expect("no panic"), 0);
    });
}

#[test]
fn eight_threads_run_one_prepared_module() {
    let prepared = prepare(&Policy::default(), HELLO);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let report = prepared.start(Stdio::captured()).and_then(|run| run.wait());
                    let report = report.expect("it runs");
                    assert!(report.verdict.success());
                    assert_eq!(report.stdout, b"hello\n");
                }
            });
        }
    });
}

/// Looks for anything but zeros in its memory, where a C program has its stack as well, in a table
/// and in a global, then dirties them. The memory is larger than what a slot keeps resident.
#[test]
fn nothing_of_the_last_tenant_is_left() {
    let text = guest_with(
        "(memory (export \"memory\") 4) (global $g (mut i64) (i64.const 0))
         (table $t 64 funcref)",
        "(elem declare func $done)",
        "(local $at i32)
        (call $done (i64.ne (global.get $g) (i64.const 0)))
        (global.set $g (i64.const -1))
        (call $done (i32.eqz (ref.is_null (table.get $t (i32.const 7)))))
        (table.set $t (i32.const 7) (ref.func $done))
        (loop $next
            (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $exit (i32.const 9))))
            (i64.store (local.get $at) (i64.const 0x6c656166206c6c65))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 262144))))",
    );
    let prepared = prepare(&Policy::default(), &text);
    for _ in 0..10_000 {
        let report = prepared.start(Stdio::captured()).and_then(|run| run.wait());
        assert_exited(&report.expect("it runs"), 0);
    }
}
