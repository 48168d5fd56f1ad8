//! Every function of preview 1, called with whatever comes.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use stockade_core::{Limit, Mount, OutputOverflow, Policy, Verdict};

use crate::run;

/// Functions by name, with their parameters: `i` is one of 32 bits, `l` of 64, `f` a descriptor,
/// `c` one that may be closed. /// Two are left out, `proc_exit` and `poll_oneoff`: one ends the guest, the other sleeps.
const FUNCTIONS: [(&str, &str); 44] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("fd_advise", "flli"),
    ("fd_allocate", "fll"),
    ("fd_close", "c"),
    ("fd_datasync", "f"),
    ("fd_fdstat_get", "fi"),
    ("fd_fdstat_set_flags", "fs"),
    ("fd_fdstat_set_rights", "fll"),
    ("fd_filestat_get", "fi"),
    ("fd_filestat_set_size", "fl"),
    ("fd_filestat_set_times", "flls"),
    ("fd_pread", "fisli"),
    ("fd_prestat_dir_name", "fii"),
    ("fd_prestat_get", "fi"),
    ("fd_pwrite", "fisli"),
    ("fd_read", "fisi"),
    ("fd_readdir", "fiili"),
    ("fd_renumber", "cc"),
    ("fd_seek", "flsi"),
    ("fd_sync", "f"),
    ("fd_tell", "fi"),
    ("fd_write", "fisi"),
    ("path_create_directory", "fpn"),
    ("path_filestat_get", "fspni"),
    ("path_filestat_set_times", "fspnlls"),
    ("path_link", "fspnfpn"),
    ("path_open", "fspnsllsi"),
    ("path_readlink", "fpniii"),
    ("path_remove_directory", "fpn"),
    ("path_rename", "fpnfpn"),
    ("path_symlink", "pnfpn"),
    ("path_unlink_file", "fpn"),
    ("proc_raise", "i"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A guest that makes so many calls, all of them different from seed to seed. It keeps descriptors
/// below 12 open and has paths at the addresses of 1024 and after, 16 bytes each.
fn guest(seed: u64, calls: u32) -> String {
    let (mut imports, mut cases) = (String::new(), String::new());
    for (index, (name, parameters)) in FUNCTIONS.iter().enumerate() {
        let (mut types, mut arguments) = (String::new(), String::new());
        for parameter in parameters.chars() {
            let (kind, call) = match parameter {
                'l' => (" i64", "(call $l)"),
                'f' => (" i32", "(call $f)"),
                'c' => (" i32", "(call $c)"),
                'p' => (" i32", "(call $p)"),
                'n' => (" i32", "(global.get $len)"),
                's' => (" i32", "(call $s)"),
                _ => (" i32", "(call $i)"),
            };
            types.push_str(kind);
            arguments.push_str(call);
        }
        writeln!(
            imports,
            r#"(import "wasi_snapshot_preview1" "{name}"
                (func ${name} (param{types}) (result i32)))"#
        )
        .unwrap();
        writeln!(
            cases,
            "(if (i32.eq (local.get $which) (i32.const {index}))
                (then (local.set $errno (call ${name} {arguments}))))"
        )
        .unwrap();
    }
    let paths =
        ["/tmp", "/tmp/a", "/tmp/b", "/tmp/a/c", "/rw/a", "/rw", "/dev/full", "..", "/ro/x"];
    let mut data = String::new();
    for (path, at) in paths.iter().zip((1024..).step_by(16)) {
        writeln!(data, r#"(data (i32.const {at}) "{path}")"#).unwrap();
        let len = 16_384 + (at - 1024) / 16;
        writeln!(data, r#"(data (i32.const {len}) "\{:02x}")"#, path.len()).unwrap();
    }
    writeln!(data, r#"(data (i32.const 0) "{}")"#, r"\00\10\00\00\70\00\00\00".repeat(64)).unwrap();
    format!(
        r#"(module {imports}
        (memory (export "memory") 2) {data}
        (global $state (mut i64) (i64.const {seed}))
        (global $len (mut i32) (i32.const 0))
        (global $done (mut i32) (i32.const 0))
        (func $next (param $below i32) (result i32)
            (global.set $state (i64.add (i64.const 1442695040888963407)
                (i64.mul (global.get $state) (i64.const 6364136223846793005))))
            (i32.rem_u (i32.wrap_i64 (i64.shr_u (global.get $state) (i64.const 33)))
                (local.get $below)))
        (func $f (result i32)
            (if (i32.eqz (call $next (i32.const 64))) (then (return (i32.const -1))))
            (if (i32.and (call $next (i32.const 2)) (i32.const 1)) (then (return (i32.const 3))))
            (call $next (i32.const 12)))
        (func $c (result i32)
            (i32.add (i32.const 4) (call $next (i32.const 8))))
        (func $s (result i32)
            (if (i32.eqz (call $next (i32.const 32))) (then (return (call $i))))
            (call $next (i32.const 8)))
        (func $p (result i32) (local $n i32)
            (local.set $n (call $next (i32.const {paths})))
            (global.set $len (i32.load8_u offset=16384 (local.get $n)))
            (if (i32.eqz (call $next (i32.const 32))) (then (global.set $len (call $i))))
            (i32.add (i32.const 1024) (i32.mul (i32.const 16) (local.get $n))))
        (func $edge (result i64) (local $n i32)
            (local.set $n (call $next (i32.const 8)))
            (i64.add (i64.extend_i32_s (i32.sub (call $next (i32.const 3)) (i32.const 1)))
                (i64.shl (i64.const 1) (i64.extend_i32_u (i32.mul (local.get $n) (i32.const 9))))))
        (func $i (result i32) (local $n i32)
            (local.set $n (call $next (i32.const 8)))
            (if (i32.eqz (local.get $n)) (then (return (i32.wrap_i64 (call $edge)))))
            (if (i32.lt_u (local.get $n) (i32.const 3)) (then
                (return (i32.add (i32.const 1024)
                    (i32.mul (i32.const 16) (call $next (i32.const 9)))))))
            (if (i32.lt_u (local.get $n) (i32.const 4)) (then
                (return (i32.mul (i32.const 8) (call $next (i32.const 128))))))
            (call $next (i32.const 10)))
        (func $l (result i64)
            (if (call $next (i32.const 3)) (then
                (return (i64.extend_i32_u (call $next (i32.const 40000))))))
            (if (call $next (i32.const 2)) (then (return (i64.const -1))))
            (call $edge))
        (func $step (local $which i32) (local $errno i32)
            (memory.copy (i32.const 0) (i32.const 65536) (i32.const 20000))
            (local.set $which (call $next (i32.const {often})))
            (if (i32.ge_u (local.get $which) (i32.const {count})) (then
                (local.set $which (i32.const {open}))))
            {cases}
            (if (i32.eqz (local.get $errno)) (then
                (global.set $done (i32.add (i32.const 1) (global.get $done))))))
        (func (export "_start") (local $left i32) (local.set $left (i32.const {calls}))
            (memory.copy (i32.const 65536) (i32.const 0) (i32.const 20000))
            (loop $again
                (call $step)
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (if (i32.lt_u (global.get $done) (i32.const {some})) (then unreachable))))"#,
        count = FUNCTIONS.len(),
        // Without open files most calls fail early.
        often = FUNCTIONS.len() + 30,
        open = FUNCTIONS.iter().position(|(name, _)| *name == "path_open").unwrap(),
        paths = paths.len(),
        some = calls / 8,
    )
}

fn assert_survives(seed: u64, calls: u32) {
    let scratch = std::env::temp_dir().join(format!("stockade-any-{}-{seed}", std::process::id()));
    fs::create_dir_all(scratch.join("rw")).unwrap();
    fs::create_dir_all(scratch.join("ro")).unwrap();
    fs::write(scratch.join("ro/x"), "untouched").unwrap();
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::from_secs(120).into();
    policy.limits.cpu_time = Limit::Unlimited;
    policy.limits.file_size = Limit::Unlimited;
    policy.limits.output_overflow = OutputOverflow::Truncate;
    policy.filesystem.mounts = vec![
        Mount::read_write(scratch.join("rw"), "/rw"),
        Mount::read_only(scratch.join("ro"), "/ro"),
    ];
    let report = run(&policy, &guest(seed, calls));
    assert_eq!(report.verdict, Verdict::Exited { code: 0 }, "seed {seed}: {report:?}");
    assert_eq!(fs::read(scratch.join("ro/x")).unwrap(), b"untouched");
    assert_eq!(fs::read_dir(scratch.join("ro")).unwrap().count(), 1);
    fs::remove_dir_all(scratch).unwrap();
}

#[test]
fn no_call_whatever_its_arguments_harms_the_host() {
    (1..5).for_each(|seed| assert_survives(seed, 5_000));
}
