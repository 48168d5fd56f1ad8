//! Stopping a guest wherever it is.

use std::io::pipe;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Policy, Report, Stdio, Verdict};

use crate::guests::{HELLO, SPIN, SPIN_IN_START, cat, flood, guest, sleep};
use crate::{SOON, assert_exited, assert_wall_stops, prepare, wait_soon};

const HOUR: u64 = 3_600_000_000_000;

#[test]
fn sleeps_end_with_the_wall_time() {
    assert_wall_stops(&sleep(HOUR), Stdio::captured());
    assert_wall_stops(&sleep(u64::MAX), Stdio::captured());
}

#[test]
fn a_sleep_lasts_as_long_as_was_asked() {
    let begun = Instant::now();
    assert_exited(&crate::run(&Policy::default(), &sleep(50_000_000)), 0);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

/// Starts a guest, lets it come to where it is to be stopped, and stops it.
fn killed(text: &str, stdio: Stdio) -> Report {
    let execution = prepare(&Policy::default(), text).start(stdio).expect("it starts");
    let killer = execution.killer();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let at = Instant::now();
        killer.kill();
        at
    });
    let report = wait_soon(execution).expect("it is reported on");
    let at = thread.join().expect("no panic");
    assert!(at.elapsed() < SOON, "it took {:?}", at.elapsed());
    assert_eq!(report.verdict, Verdict::Cancelled);
    report
}

#[test]
fn a_guest_can_be_cancelled_in_a_loop() {
    let report = killed(SPIN, Stdio::captured());
    assert!(report.usage.cpu_ns() > 0);
    killed(SPIN_IN_START, Stdio::captured());
}

#[test]
fn a_guest_can_be_cancelled_asleep() {
    killed(&sleep(HOUR), Stdio::captured());
}

#[test]
fn a_guest_can_be_cancelled_while_it_reads() {
    let (reader, _writer) = pipe().expect("a pipe");
    killed(&cat(), Stdio::captured().stdin(OwnedFd::from(reader)));
}

#[test]
fn a_guest_can_be_cancelled_while_it_fills_a_stream_that_nobody_reads() {
    let mut execution =
        prepare(&Policy::default(), &flood()).start(Stdio::streamed()).expect("it starts");
    let _stdout = execution.stdout();
    let killer = execution.killer();
    thread::sleep(Duration::from_millis(50));
    killer.kill();
    assert_eq!(wait_soon(execution).expect("a report").verdict, Verdict::Cancelled);
}

#[test]
fn a_guest_can_be_cancelled_in_the_middle_of_a_random_request() {
    let text = crate::guests::guest_with(
        "(memory (export \"memory\") 2000)",
        "",
        "(loop (drop (call $random (i32.const 0) (i32.const 131072000))) (br 0))",
    );
    killed(&text, Stdio::captured());
}

#[test]
fn dropping_a_run_ends_it() {
    for text in [SPIN.to_owned(), sleep(HOUR), cat(), flood()] {
        let mut execution =
            prepare(&Policy::default(), &text).start(Stdio::streamed()).expect("it starts");
        let _ends = (execution.stdin(), execution.stdout());
        thread::sleep(Duration::from_millis(20));
        let begun = Instant::now();
        drop(execution);
        assert!(begun.elapsed() < SOON);
    }
    drop(prepare(&Policy::default(), HELLO).start(Stdio::captured()).expect("it starts"));
}

#[test]
fn a_kill_before_the_wait_cancels_and_one_after_the_end_does_nothing() {
    let execution =
        prepare(&Policy::default(), &guest("")).start(Stdio::captured()).expect("it starts");
    let killer = execution.killer();
    killer.kill();
    assert_eq!(wait_soon(execution).expect("a report").verdict, Verdict::Cancelled);
    killer.kill();

    let execution = prepare(&Policy::default(), HELLO).start(Stdio::captured()).expect("starts");
    let killer = execution.killer();
    let report = wait_soon(execution).expect("a report");
    killer.kill();
    assert!(report.verdict.success());
}

/// An order to stop that falls between a guest's look at it and its going on must not be lost.
#[test]
fn no_cancellation_is_lost_however_often_guests_are_looked_at() {
    let ended = prepare(&Policy::default(), HELLO).start(Stdio::captured()).expect("it starts");
    let look = ended.killer();
    wait_soon(ended).expect("a report");
    let prepared = prepare(&Policy::default(), SPIN);
    for round in 0..200 {
        let execution = prepared.start(Stdio::captured()).expect("it starts");
        let (killer, look) = (execution.killer(), Arc::clone(&look));
        thread::spawn(move || {
            thread::sleep(Duration::from_micros(300));
            // An order to a guest that has ended makes every other look.
            look.kill();
            thread::sleep(Duration::from_nanos(100 * round));
            killer.kill();
        });
        let begun = Instant::now();
        let report = wait_soon(execution).expect("a report");
        assert_eq!(report.verdict, Verdict::Cancelled);
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}
