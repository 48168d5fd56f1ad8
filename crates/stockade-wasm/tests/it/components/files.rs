//! Files, through the interface of preview 2.

use stockade_core::{Bytes, Control, Limit, Policy};

use super::{componentized, run};
use crate::{assert_exited, assert_limit};

/// A guest that opens, writes and reads by these functions; `$check` ends it, saying the errno.
fn guest(start: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "path_open" (func $path_open
            (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read"
            (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_seek"
            (func $fd_seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_pwrite"
            (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_pread"
            (func $fd_pread (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir"
            (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_filestat_get"
            (func $path_stat (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_unlink_file"
            (func $unlink (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 20)
        (data (i32.const 1024) "tmp/note")
        (data (i32.const 1050) "dev/zero")
        (data (i32.const 1100) "kept for a while")
        (data (i32.const 1200) "../../../etc/shadow")
        (func $say (param $fd i32) (param $at i32) (param $len i32) (result i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $len))
            (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (func $check (param $errno i32)
            (if (local.get $errno) (then
                (i32.store8 (i32.const 12) (i32.add (i32.const 32) (local.get $errno)))
                (drop (call $say (i32.const 2) (i32.const 12) (i32.const 1)))
                (call $exit (i32.const 1)))))
        ;; Opens so much of a path, with these flags, to read and to write.
        (func $open (param $at i32) (param $len i32) (param $how i32) (result i32)
            (call $check (call $path_open (i32.const 3) (i32.const 1) (local.get $at)
                (local.get $len) (local.get $how) (i64.const 66) (i64.const 66) (i32.const 0)
                (i32.const 16)))
            (i32.load (i32.const 16)))
        (func (export "_start") (local $fd i32) {start}))"#
    )
}

const CREATE: &str = "(local.set $fd (call $open (i32.const 1024) (i32.const 8) (i32.const 1)))";
const WRITE: &str = "(call $check (call $say (local.get $fd) (i32.const 1100) (i32.const 16)))";

/// What a guest says when it ends with this errno of preview 1.
fn errno(number: u8) -> Vec<u8> {
    vec![32 + number]
}

#[test]
fn what_was_written_is_read_listed_measured_and_removed() {
    let text = guest(&format!(
        "{CREATE} {WRITE}
        (call $check (call $fd_seek (local.get $fd) (i64.const 5) (i32.const 0) (i32.const 24)))
        (i32.store (i32.const 0) (i32.const 2048))
        (i32.store (i32.const 4) (i32.const 100))
        (call $check (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $check (call $say (i32.const 1) (i32.const 2048) (i32.load (i32.const 8))))
        (call $check (call $fd_close (local.get $fd)))
        (call $check (call $path_stat (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 8)
            (i32.const 3000)))
        (if (i64.ne (i64.load (i32.const 3032)) (i64.const 16)) (then (unreachable)))
        (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 3)
            (i32.const 2) (i64.const 16384) (i64.const 0) (i32.const 0) (i32.const 16)))
        (call $check (call $fd_readdir (i32.load (i32.const 16)) (i32.const 4096)
            (i32.const 1000) (i64.const 0) (i32.const 20)))
        (call $check (call $say (i32.const 1) (i32.const 4096) (i32.load (i32.const 20))))
        (call $check (call $unlink (i32.const 3) (i32.const 1024) (i32.const 8)))
        (drop (call $open (i32.const 1024) (i32.const 8) (i32.const 0)))"
    ));
    let report = run(&Policy::default(), &componentized(&text));
    // It is gone: `noent`.
    assert_eq!(report.stderr, errno(44));
    assert_exited(&report, 1);
    assert!(report.stdout.starts_with(b"for a while"), "{:?}", report.stdout);
    assert!(report.stdout.ends_with(b"note"), "{:?}", report.stdout);
}

#[test]
fn each_run_has_files_of_its_own() {
    let exclusive = CREATE.replace("(i32.const 1)))", "(i32.const 5)))");
    let program = componentized(&guest(&exclusive));
    for _ in 0..3 {
        assert_exited(&run(&Policy::default(), &program), 0);
    }
    let twice = componentized(&guest(&format!("{exclusive} {exclusive}")));
    let report = run(&Policy::default(), &twice);
    assert_eq!(report.stderr, errno(20));
}

#[test]
fn no_path_leads_out() {
    let up = "(local.set $fd (call $open (i32.const 1200) (i32.const 19) (i32.const 0)))";
    let report = run(&Policy::default(), &componentized(&guest(up)));
    assert_exited(&report, 1);
}

#[test]
fn an_offset_that_no_file_can_have_is_invalid() {
    for (path, function) in [(1050, "pread"), (1024, "pwrite")] {
        let text = guest(&format!(
            "(local.set $fd (call $open (i32.const {path}) (i32.const 8) (i32.const 1)))
            (i32.store (i32.const 0) (i32.const 2048))
            (i32.store (i32.const 4) (i32.const 16))
            (call $check (call $fd_{function} (local.get $fd) (i32.const 0) (i32.const 1)
                (i64.const -1) (i32.const 8)))"
        ));
        let report = run(&Policy::default(), &componentized(&text));
        assert_eq!(report.stderr, errno(28));
        assert_exited(&report, 1);
    }
}

#[test]
fn writing_without_end_ends_at_the_disk_limit() {
    let mut policy = Policy::default();
    policy.limits.disk = Limit::At(Bytes(1 << 20));
    policy.limits.file_size = Limit::At(Bytes(1 << 30));
    let text = guest(&format!("{CREATE} (loop {WRITE} (br 0))"));
    let report = run(&policy, &componentized(&text));
    assert_limit(&report, Control::Disk);
}
