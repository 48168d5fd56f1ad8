//! Files through WASI preview 1.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use stockade_core::{Bytes, Control, Limit, Mount, Policy, Report, Verdict};

use crate::{assert_exited, assert_limit, run, wall};

const BADF: i32 = 8;
const EXIST: i32 = 20;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
const MFILE: i32 = 33;
const NOTDIR: i32 = 54;
const ROFS: i32 = 69;
const XDEV: i32 = 75;

/// A directory of the host, gone at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("stockade-wasm-files-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A guest with functions for files. The paths `/tmp/file`, `/data/file` and `/dev/null` are at
/// 1024, 1040 and 1056; a list of one part is at 0 and its bytes are at 64; results go to 16.
fn guest(start: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_set_size"
            (func $resize (param i32 i64) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get"
            (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir"
            (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_rename"
            (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "\40\00\00\00\05\00\00\00")
        (data (i32.const 64) "bytes")
        (data (i32.const 1024) "/tmp/file")
        (data (i32.const 1040) "/data/file")
        (data (i32.const 1056) "/dev/null")
        (func $is (param $got i32) (param $wanted i32)
            (if (i32.ne (local.get $got) (local.get $wanted))
                (then (call $exit (i32.add (i32.const 1000) (local.get $got))))))
        (func $open (param $fd i32) (param $at i32) (param $len i32) (param $flags i32)
            (result i32)
            (call $path_open (local.get $fd) (i32.const 1) (local.get $at) (local.get $len)
                (local.get $flags) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 16)))
        (func $put (param $fd i32) (result i32)
            (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 20)))
        (func (export "_start") (local $n i32) {start}))"#
    )
}

/// `$is` for a call of these arguments.
fn is(call: &str, arguments: &[i64], wanted: i32) -> String {
    let constants = arguments.iter().map(|n| format!(" (i32.const {n})")).collect::<String>();
    format!("(call $is (call ${call}{constants}) (i32.const {wanted}))\n")
}

fn run_all(policy: &Policy, steps: &[String]) -> Report {
    run(policy, &guest(&steps.concat()))
}

/// Creates `/tmp/file` or opens it.
fn open_file(wanted: i32) -> String {
    is("open", &[3, 1024, 9, 1], wanted)
}

#[test]
fn descriptors_are_moved_and_their_numbers_used_again() {
    let report = run_all(
        &Policy::default(),
        &[
            is("prestat", &[3, 16], 0),
            is("prestat", &[4, 16], BADF),
            open_file(0),
            is("prestat", &[4, 16], BADF),
            // The file takes the place of standard output.
            is("renumber", &[4, 1], 0),
            is("put", &[1], 0),
            is("put", &[4], BADF),
            is("renumber", &[4, 1], BADF),
            is("renumber", &[1, 4], BADF),
            is("renumber", &[1, -1], BADF),
            is("renumber", &[1, 1], 0),
            // Standard error takes the place of `/`, and still is what it was.
            is("renumber", &[2, 3], 0),
            is("prestat", &[3, 16], BADF),
            open_file(NOTDIR),
            is("put", &[3], 0),
            is("close", &[3], 0),
            is("put", &[3], BADF),
            is("put", &[2], BADF),
        ],
    );
    assert_exited(&report, 0);
    assert_eq!(
        (report.stdout.as_slice(), report.stderr.as_slice()),
        (b"".as_slice(), b"bytes".as_slice())
    );
}

#[test]
fn the_lowest_free_number_is_given() {
    let number = |wanted| format!("(call $is (i32.load (i32.const 16)) (i32.const {wanted}))\n");
    let report = run_all(
        &Policy::default(),
        &[
            open_file(0),
            number(4),
            is("close", &[0], 0),
            open_file(0),
            number(0),
            is("close", &[3], 0),
            open_file(BADF),
            is("prestat", &[3, 16], BADF),
        ],
    );
    assert_exited(&report, 0);
}

#[test]
fn a_flood_of_open_files_ends_at_the_limit_and_is_named_if_the_guest_then_fails() {
    let flood = |last: &str| {
        guest(&format!(
            "(loop $next
                (local.set $n (call $open (i32.const 3) (i32.const 1056) (i32.const 9) (i32.const 0)))
                (br_if $next (i32.eqz (local.get $n))))
            (call $is (local.get $n) (i32.const {MFILE})) {last}"
        ))
    };
    let mut policy = wall(Duration::from_secs(10));
    policy.limits.open_files = Limit::At(24);
    let expected = Verdict::Limit { control: Control::OpenFiles, limit: 24, observed: 24 };
    assert_eq!(run(&policy, &flood("(call $exit (i32.const 3))")).verdict, expected);
    assert_eq!(run(&policy, &flood("unreachable")).verdict, expected);
    assert_exited(&run(&policy, &flood("")), 0);
    policy.limits.open_files = Limit::Unlimited;
    assert_exited(&run(&policy, &flood("")), 0);
}

#[test]
fn a_file_that_is_grown_beyond_its_limit_ends_the_run() {
    for size in [(64 << 20) + 1, i64::MAX] {
        let grow = format!("(drop (call $resize (i32.const 4) (i64.const {size})))");
        let report = run_all(&Policy::default(), &[open_file(0), grow]);
        assert_limit(&report, Control::FileSize);
    }
    for size in [-1, i64::MIN] {
        let grow = format!(
            "(call $is (call $resize (i32.const 4) (i64.const {size})) (i32.const {INVAL}))"
        );
        assert_exited(&run_all(&Policy::default(), &[open_file(0), grow]), 0);
    }
}

#[test]
fn a_full_disk_is_named_if_the_guest_then_fails() {
    let mut policy = wall(Duration::from_secs(10));
    policy.limits.disk = Bytes(64 << 10).into();
    let write = "(i32.store (i32.const 4) (i32.const 65000))
        (loop $next
            (local.set $n (call $put (i32.const 4)))
            (br_if $next (i32.eqz (local.get $n))))
        (call $exit (local.get $n))"
        .to_owned();
    let report = run_all(&policy, &[open_file(0), write]);
    let limit = 64 << 10;
    assert_eq!(report.verdict, Verdict::Limit { control: Control::Disk, limit, observed: limit });
}

#[test]
fn lists_of_a_million_parts_and_lists_outside_memory_are_refused() {
    let report = run_all(
        &Policy::default(),
        &[
            open_file(0),
            is("write", &[4, 0, 1_000_000, 16], INVAL),
            is("read", &[4, 0, 1_000_000, 16], INVAL),
            is("write", &[4, -8, 1, 16], FAULT),
            is("read", &[4, 131_068, 1, 16], FAULT),
            is("write", &[4, 0, 1, -1], FAULT),
            is("open", &[3, -1, 9, 0], FAULT),
            is("open", &[3, 1024, -1, 0], 37),
            is("open", &[3, 1024, 9, 4 | 1], EXIST),
        ],
    );
    assert_exited(&report, 0);
}

#[test]
fn a_listing_that_does_not_fit_is_cut_and_goes_on_at_its_cookie() {
    let list = |cookie: i64, len: u32, used: i32| {
        format!(
            "(call $is (call $readdir (i32.const 3) (i32.const 2048) (i32.const {len})
                (i64.const {cookie}) (i32.const 16)) (i32.const 0))
            (call $is (i32.load (i32.const 16)) (i32.const {used}))\n"
        )
    };
    let report = run_all(
        &Policy::default(),
        &[
            list(0, 0, 0),
            list(0, 10, 10),
            list(0, 60, 60),
            // `dev`, `etc` and `tmp` come after `.` and `..`.
            list(0, 1000, 5 * 24 + 3 + 3 * 3),
            list(2, 1000, 3 * 24 + 3 * 3),
            list(5, 1000, 0),
            list(-1, 1000, 0),
        ],
    );
    assert_exited(&report, 0);
}

#[test]
fn a_bind_is_written_to_and_one_that_is_read_only_is_not() {
    let scratch = Scratch::new("bind");
    let write = [is("open", &[3, 1040, 10, 1 | 8], 0), is("put", &[4], 0)];
    let mut policy = Policy::default();
    policy.filesystem.mounts = vec![Mount::read_write(&scratch.0, "/data")];
    assert_exited(&run_all(&policy, &write), 0);
    assert_eq!(fs::read(scratch.0.join("file")).unwrap(), b"bytes");

    policy.filesystem.mounts = vec![Mount::read_only(&scratch.0, "/data")];
    let report = run_all(
        &policy,
        &[
            is("open", &[3, 1040, 10, 0], ROFS),
            is("open", &[3, 1040, 10, 8], ROFS),
            is("rename", &[3, 1040, 10, 3, 1024, 9], XDEV),
            open_file(0),
            is("rename", &[3, 1024, 9, 3, 1040, 10], XDEV),
        ],
    );
    assert_exited(&report, 0);
    assert_eq!(fs::read(scratch.0.join("file")).unwrap(), b"bytes");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}
