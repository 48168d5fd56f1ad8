//! WebAssembly modules, as the command runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Outcome, TempDir, call, feed, run, run_reported, start};

const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $next
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $next (i32.load (i32.const 4))))))"#;

const EXIT_7: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7))))"#;

/// Asks `poll_oneoff` for an hour.
const SLEEP: &str = r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#;

const SPIN: &str = r#"(module (func (export "_start") (loop $again (br $again))))"#;

const GROW: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (drop (memory.grow (i32.const 16))) (br $again))))"#;

const TRAP: &str = r#"(module (func (export "_start") unreachable))"#;

/// Writes the module into a file and runs it with these options.
fn run_module(options: &[&str], text: &str) -> (Outcome, Value) {
    let dir = TempDir::new();
    let file = dir.file("module.wasm", wat::parse_str(text).expect("a module"));
    run_reported(&[options, &[&file]].concat())
}

/// Runs a module that must hit `control`.
fn hit(control: &str, options: &[&str], text: &str) -> (Outcome, Value) {
    let begun = Instant::now();
    let (outcome, report) = run_module(options, text);
    assert!(begun.elapsed() < Duration::from_secs(5), "{outcome:?}");
    assert_eq!(outcome.code, 124, "{outcome:?}\n{report:#}");
    let verdict = &report["verdict"];
    assert_eq!((&verdict["kind"], &verdict["control"]), (&"limit".into(), &control.into()));
    let said = format!("stockade: stopped: {control} limit ");
    assert!(outcome.stderr.starts_with(&said), "{outcome:?}");
    (outcome, report)
}

#[test]
fn a_module_is_known_by_its_bytes_and_runs_under_the_default_policy() {
    let (outcome, report) = run_module(&[], HELLO);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "hello\n"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    assert_eq!(report["backend"], "wasm");
    let receipt = report["enforcement"].as_array().expect("a receipt");
    assert!(receipt.iter().all(|entry| entry["status"] == "enforced"), "{report:#}");
}

#[test]
fn a_path_needs_no_suffix() {
    let dir = TempDir::new();
    let file = dir.file("job", wat::parse_str(HELLO).expect("a module"));
    let outcome = run(&[&file]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "hello\n"), "{outcome:?}");
}

#[test]
fn what_is_no_module_on_the_host_is_a_native_program() {
    let dir = TempDir::new();
    let file = dir.file("module.wasm", "plain text");
    let outcome = run(&[&file]);
    assert_eq!(outcome.code, 125);
    assert!(outcome.stderr.contains("was not found"), "{outcome:?}");
    let (_, report) = run_reported(&["/bin/true"]);
    assert_eq!(report["backend"], "namespace");
}

#[test]
fn a_backend_that_does_not_suit_the_program_is_status_125_with_a_hint() {
    let dir = TempDir::new();
    let module = dir.file("module.wasm", wat::parse_str(HELLO).expect("a module"));
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&module, executable).expect("a file of one's own");
    let bind = format!("{module}:/module.wasm");
    let native = run(&["--ro", &bind, "--backend", "namespace", "/module.wasm"]);
    let text = dir.file("text.wasm", "plain text");
    let cases = [
        (native, "--backend wasm"),
        (run(&["--backend", "wasm", "/bin/true"]), "`\\0asm`"),
        (run(&["--backend", "wasm", &text]), "`\\0asm`"),
        (run(&["--backend", "wasm", "/no/such.wasm"]), "/no/such.wasm"),
    ];
    for (outcome, said) in cases {
        assert_eq!(outcome.code, 125, "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        assert!(outcome.stderr.contains("stockade: hint: "), "{outcome:?}");
    }
}

#[test]
fn what_a_module_cannot_be_given_is_refused_before_it_runs() {
    let dir = TempDir::new();
    let module = dir.file("module.wasm", wat::parse_str(HELLO).expect("a module"));
    for (options, named) in [
        (&["--ro", "/no/such/dir:/data"][..], "/data"),
        (&["--network", "host"], "network"),
        (&["--cpus", "0.5"], "cpus"),
    ] {
        let outcome = call(&[&["run"], options, &[module.as_str()]].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(named), "{outcome:?}");
    }
    let hint = call(&["run", "--ro", "/no/such/dir:/data", &module]);
    assert!(hint.stderr.contains("stockade: hint: "), "{hint:?}");
}

#[test]
fn the_exit_status_is_the_modules_own() {
    let (outcome, report) = run_module(&[], EXIT_7);
    assert_eq!((outcome.code, &report["verdict"]["code"]), (7, &7.into()), "{outcome:?}");
}

#[test]
fn standard_input_streams_through() {
    let dir = TempDir::new();
    let file = dir.file("echo.wasm", wat::parse_str(ECHO).expect("a module"));
    let input = b"a line\n".repeat(50_000);
    let output = feed(start(&[&file]), input.clone());
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
}

#[test]
fn a_sleeping_module_ends_at_its_wall_time() {
    let (_, report) = hit("wall_time", &["--wall-time", "200ms"], SLEEP);
    assert!(report["verdict"]["observed"].as_u64() >= Some(200_000_000), "{report:#}");
}

#[test]
fn a_module_that_waits_for_input_ends_at_its_wall_time() {
    let dir = TempDir::new();
    let file = dir.file("echo.wasm", wat::parse_str(ECHO).expect("a module"));
    let mut child = start(&["--wall-time", "200ms", &file]);
    let input = child.stdin.take();
    let output = child.wait_with_output().expect("the command ends");
    drop(input);
    assert_eq!(output.status.code(), Some(124));
}

#[test]
fn a_busy_module_ends_at_its_cpu_time() {
    let (_, report) = hit("cpu_time", &["--cpu-time", "100ms"], SPIN);
    assert_eq!(report["verdict"]["limit"], 100_000_000);
}

#[test]
fn fuel_ends_the_same_module_at_the_same_count() {
    let counts = [(), ()].map(|()| {
        let (_, report) = hit("fuel", &["--fuel", "1000000"], SPIN);
        report["usage"]["fuel"].clone()
    });
    assert!(counts[0].is_number(), "{counts:?}");
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn a_growing_module_ends_at_its_memory() {
    let (_, report) = hit("memory", &["--memory", "16MiB"], GROW);
    assert_eq!(report["verdict"]["limit"], 16 << 20);
    assert!(report["usage"]["peak_memory"].as_u64() <= Some(16 << 20), "{report:#}");
}

#[test]
fn a_trap_is_as_an_abort_and_says_so() {
    let (outcome, report) = run_module(&[], TRAP);
    assert_eq!(outcome.code, 134, "{outcome:?}");
    assert!(outcome.stderr.starts_with("stockade: trapped: "), "{outcome:?}");
    assert_eq!(report["verdict"]["kind"], "trapped");
}
