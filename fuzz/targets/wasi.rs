//! A module that calls WASI preview 1 in any order with any arguments, on in-memory files and mounts:
//! the run ends in a report, whatever it does.
//!
//! The module reads the fuzzer's bytes into its memory and takes them as calls: a number of a
//! function, then two bytes for each argument. An argument is thus a small number, or an address
//! within the bytes themselves, where the paths and records are.
#![no_main]

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stockade_core::{Bytes, Mount, Policy, Prepared, Program, Sandbox, Stdio, Verdict};
use stockade_wasm::WasmSandbox;

/// The functions and their parameters, `i` for 32 bits and `I` for 64. `proc_exit`, which answers
/// nothing, is left out: the module ends by itself.
const FUNCTIONS: [(&str, &str); 45] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// Where the fuzzer's bytes are in the module's memory, and how many fit: two of its eight pages
/// besides are free for results.
const AT: u32 = 1024;
const ROOM: u32 = 60_000;

static PREPARED: LazyLock<Box<dyn Prepared>> = LazyLock::new(|| {
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::from_millis(50).into();
    policy.limits.disk = Bytes(1 << 20).into();
    policy.limits.output = Bytes(64 << 10).into();
    policy.limits.open_files = 32.into();
    policy.filesystem.mounts = vec![
        Mount::tmpfs("/scratch", None),
        Mount::file("/etc/motd", "hello\n"),
        Mount::file("/scratch/deep/file", "in a directory that is written to"),
    ];
    let module = wat::parse_str(module()).expect("the module is well written");
    let sandbox = WasmSandbox::new().expect("the engine can be made");
    sandbox.prepare(&policy, &Program::module(module)).expect("the module can be prepared")
});

fuzz_target!(|data: &[u8]| {
    let stdio = Stdio::captured().stdin(data.to_vec());
    let report = PREPARED.start(stdio).and_then(|run| run.wait()).expect("a run ends in a report");
    let expected = match &report.verdict {
        Verdict::Exited { code } => *code == 0,
        Verdict::Limit { .. } | Verdict::Trapped { .. } | Verdict::Signaled { .. } => true,
        _ => false,
    };
    assert!(expected, "{:?}", report.verdict);
});

/// The module as text: imports, the argument readers, one call of each function, and the loop.
fn module() -> String {
    let mut text = String::from("(module\n");
    for (name, parameters) in FUNCTIONS {
        let types: Vec<&str> = parameters.chars().map(width).collect();
        let types = types.join(" ");
        writeln!(
            text,
            "(import \"wasi_snapshot_preview1\" \"{name}\" \
             (func ${name} (param {types}) (result i32)))"
        )
        .expect("a string takes everything");
    }
    write!(
        text,
        "(memory (export \"memory\") 8)
         (global $at (mut i32) (i32.const {AT}))
         (func $byte (result i32)
           (i32.load8_u (global.get $at))
           (global.set $at (i32.add (global.get $at) (i32.const 1))))
         ;; Two bytes; 0xffff stands for all bits set, 0xfffe for the largest positive number.
         (func $i (result i32) (local $v i32)
           (local.set $v (i32.load16_u (global.get $at)))
           (global.set $at (i32.add (global.get $at) (i32.const 2)))
           (if (i32.eq (local.get $v) (i32.const 0xffff)) (then (return (i32.const -1))))
           (if (i32.eq (local.get $v) (i32.const 0xfffe)) (then (return (i32.const 0x7fffffff))))
           (local.get $v))
         (func $I (result i64) (i64.extend_i32_s (call $i)))
         (func (export \"_start\") (local $end i32)
           (i32.store (i32.const 0) (i32.const {AT}))
           (i32.store (i32.const 4) (i32.const {ROOM}))
           (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
           (local.set $end (i32.add (i32.const {AT}) (i32.load (i32.const 8))))
           (loop $next
             (if (i32.ge_u (global.get $at) (local.get $end)) (then (return)))\n"
    )
    .expect("a string takes everything");
    let count = FUNCTIONS.len();
    text.push_str(&"(block ".repeat(count));
    let labels: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    write!(text, "(br_table {} (i32.rem_u (call $byte) (i32.const {count})))\n", labels.join(" "))
        .expect("a string takes everything");
    for (name, parameters) in FUNCTIONS {
        let arguments: String = parameters.chars().map(|kind| format!("(call ${kind}) ")).collect();
        write!(text, ") (drop (call ${name} {arguments})) (br $next)\n")
            .expect("a string takes everything");
    }
    text.push_str(")))");
    text
}

fn width(kind: char) -> &'static str {
    if kind == 'I' { "i64" } else { "i32" }
}
