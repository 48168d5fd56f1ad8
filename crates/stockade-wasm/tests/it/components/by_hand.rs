//! Components written by hand, which no honest compiler makes.

use std::io::{Write, pipe};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Bytes, Control, Error, ErrorKind, Limit, Policy, Program, Stdio};

use super::{run, start};
use crate::{SOON, assert_exited, assert_limit, assert_trapped, refused, wait_soon, wall};

/// The beginning of a component that has these imports of WASI, lowered, and one memory.
const IMPORTS: &str = r#"
    (import "wasi:io/poll@0.2.0" (instance $poll
        (export "pollable" (type $pollable (sub resource)))
        (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
        (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
    (alias export $poll "pollable" (type $pollable))
    (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock
        (alias outer 1 $pollable (type $p))
        (export "pollable" (type $pollable (eq $p)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
    (import "wasi:random/random@0.2.9" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
    (import "wasi:cli/exit@0.2.12" (instance $exit
        (export "exit-with-code" (func (param "status-code" u8)))))
    (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
    (alias export $error "error" (type $error))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $error (type $e))
        (export "error" (type $error (eq $e)))
        (alias outer 1 $pollable (type $p))
        (export "pollable" (type $pollable (eq $p)))
        (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
        (export "stream-error" (type $stream-error (eq $failure)))
        (export "input-stream" (type $input (sub resource)))
        (export "output-stream" (type $output (sub resource)))
        (export "[method]input-stream.subscribe"
            (func (param "self" (borrow $input)) (result (own $pollable))))
        (export "[method]output-stream.check-write" (func
            (param "self" (borrow $output)) (result (result u64 (error $stream-error)))))
        (export "[method]output-stream.write-zeroes" (func (param "self" (borrow $output))
            (param "len" u64) (result (result (error $stream-error)))))
        (export "[method]output-stream.write" (func (param "self" (borrow $output))
            (param "contents" (list u8)) (result (result (error $stream-error)))))))
    (alias export $streams "input-stream" (type $input))
    (alias export $streams "output-stream" (type $output))
    (import "wasi:cli/stdin@0.2.0" (instance $stdin
        (alias outer 1 $input (type $i))
        (export "input-stream" (type $input (eq $i)))
        (export "get-stdin" (func (result (own $input))))))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $output (type $o))
        (export "output-stream" (type $output (eq $o)))
        (export "get-stdout" (func (result (own $output))))))
    (core module $heap
        (memory (export "memory") 400)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1048576)))
    (core instance $heap (instantiate $heap))
    (alias core export $heap "memory" (core memory $memory))
    (alias core export $heap "realloc" (core func $realloc))
    (core func $block (canon lower (func $poll "[method]pollable.block")))
    (core func $poll (canon lower (func $poll "poll") (memory $memory) (realloc $realloc)))
    (core func $sleep (canon lower (func $clock "subscribe-duration")))
    (core func $random (canon lower (func $random "get-random-bytes")
        (memory $memory) (realloc $realloc)))
    (core func $exit (canon lower (func $exit "exit-with-code")))
    (core func $stdin (canon lower (func $stdin "get-stdin")))
    (core func $stdout (canon lower (func $stdout "get-stdout")))
    (core func $subscribe (canon lower (func $streams "[method]input-stream.subscribe")))
    (core func $permit (canon lower (func $streams "[method]output-stream.check-write")
        (memory $memory)))
    (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes")
        (memory $memory)))
    (core func $write (canon lower (func $streams "[method]output-stream.write")
        (memory $memory)))
    (core func $drop (canon resource.drop $pollable))
    (core instance $wasi
        (export "memory" (memory $memory))
        (export "block" (func $block)) (export "poll" (func $poll))
        (export "sleep" (func $sleep)) (export "random" (func $random))
        (export "exit" (func $exit)) (export "stdin" (func $stdin))
        (export "stdout" (func $stdout)) (export "subscribe" (func $subscribe))
        (export "permit" (func $permit)) (export "zeroes" (func $zeroes))
        (export "write" (func $write)) (export "drop" (func $drop)))
    (core module $main
        (import "wasi" "memory" (memory 1))
        (import "wasi" "block" (func $block (param i32)))
        (import "wasi" "poll" (func $poll (param i32 i32 i32)))
        (import "wasi" "sleep" (func $sleep (param i64) (result i32)))
        (import "wasi" "random" (func $random (param i64 i32)))
        (import "wasi" "exit" (func $exit (param i32)))
        (import "wasi" "stdin" (func $stdin (result i32)))
        (import "wasi" "stdout" (func $stdout (result i32)))
        (import "wasi" "subscribe" (func $subscribe (param i32) (result i32)))
        (import "wasi" "permit" (func $permit (param i32 i32)))
        (import "wasi" "zeroes" (func $zeroes (param i32 i64 i32)))
        (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
        (import "wasi" "drop" (func $drop (param i32)))
        (func (export "run") (result i32)"#;

/// The end of it: `run` is what comes between, and gives 0 for success.
const EXPORTS: &str = r#"))
    (core instance $main (instantiate $main (with "wasi" (instance $wasi))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance (export "wasi:cli/run@0.2.1") (export "run" (func $run)))"#;

/// A `run` that does nothing and succeeds.
pub(super) const NOTHING: &str = r#"
    (core module $main (func (export "run") (result i32) (i32.const 0)))
    (core instance $main (instantiate $main))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run)))"#;

/// Waits for its standard input and for a time that never comes.
pub(super) const STDIN_OR_NEVER: &str = "
    (i32.store (i32.const 0) (call $subscribe (call $stdin)))
    (i32.store (i32.const 4) (call $sleep (i64.const -1)))
    (call $poll (i32.const 0) (i32.const 2) (i32.const 16))
    ;; Which was ready, as the exit code: the index of the first of them, plus ten.
    (call $exit (i32.add (i32.const 10) (i32.load (i32.load (i32.const 16)))))
    (i32.const 0)";

/// A component with these definitions.
pub(super) fn command(definitions: &str) -> Program {
    let definitions = if definitions.contains("wasi:cli/run") {
        definitions.to_owned()
    } else {
        format!("{IMPORTS} {definitions} {EXPORTS}")
    };
    Program::module(wat::parse_str(format!("(component {definitions})")).expect("well written"))
}

fn soon() -> Policy {
    wall(Duration::from_millis(300))
}

#[test]
fn a_run_that_fails_is_an_exit_with_one() {
    assert_exited(&run(&soon(), &command("(i32.const 0)")), 0);
    assert_exited(&run(&soon(), &command("(i32.const 1)")), 1);
    assert_exited(&run(&soon(), &command("(call $exit (i32.const 77)) (i32.const 0)")), 77);
}

#[test]
fn a_poll_for_ever_ends_with_the_wall_time() {
    let block = "(call $block (call $sleep (i64.const -1))) (i32.const 0)";
    assert_limit(&run(&soon(), &command(block)), Control::WallTime);
    let stdio = || {
        let (reader, writer) = pipe().unwrap();
        (Stdio::captured().stdin(OwnedFd::from(reader)), writer)
    };
    let program = command(STDIN_OR_NEVER);
    let (input, _writer) = stdio();
    let report = wait_soon(start(&soon(), &program, input)).unwrap();
    assert_limit(&report, Control::WallTime);
}

#[test]
fn a_poll_wakes_for_what_comes_first() {
    let program = command(STDIN_OR_NEVER);
    let (reader, mut writer) = pipe().unwrap();
    let execution =
        start(&Policy::default(), &program, Stdio::captured().stdin(OwnedFd::from(reader)));
    let feeder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        writer.write_all(b"x").unwrap();
    });
    assert_exited(&wait_soon(execution).unwrap(), 10);
    feeder.join().unwrap();

    let mut execution = start(&Policy::default(), &program, Stdio::streamed());
    let mut stdin = execution.stdin().unwrap();
    thread::sleep(Duration::from_millis(50));
    // Whether the guest is gone before the call returns is a race.
    let _ = stdin.write_all(b"x");
    assert_exited(&wait_soon(execution).unwrap(), 10);

    let (reader, _writer) = pipe().unwrap();
    let program = command(&STDIN_OR_NEVER.replace("i64.const -1", "i64.const 1000"));
    let execution =
        start(&Policy::default(), &program, Stdio::captured().stdin(OwnedFd::from(reader)));
    assert_exited(&wait_soon(execution).unwrap(), 11);
}

#[test]
fn lists_of_pollables_that_are_empty_or_too_long_trap() {
    let poll = |count: u32| {
        command(&format!(
            "(local $p i32) (local $n i32)
            (local.set $p (call $sleep (i64.const 0)))
            (loop (i32.store (i32.mul (local.get $n) (i32.const 4)) (local.get $p))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $n) (i32.const 200000))))
            (call $poll (i32.const 0) (i32.const {count}) (i32.const 900000))
            (i32.ne (i32.load (i32.const 900004)) (i32.const {count}))"
        ))
    };
    assert_exited(&run(&Policy::default(), &poll(4096)), 0);
    assert_trapped(&run(&Policy::default(), &poll(0)), "empty list of pollables");
    assert_trapped(&run(&Policy::default(), &poll(4097)), "4096 pollables");
    assert_trapped(&run(&Policy::default(), &poll(9_000)), "4096 pollables");
    assert_trapped(&run(&Policy::default(), &poll(200_000)), "handle");
}

#[test]
fn two_gigabytes_of_random_bytes_are_refused_and_cost_no_memory() {
    let random = |len: u64| {
        command(&format!("(call $random (i64.const {len}) (i32.const 0)) (i32.const 0)"))
    };
    assert_exited(&run(&Policy::default(), &random(0)), 0);
    assert_exited(&run(&Policy::default(), &random(8 << 20)), 0);
    for len in [(8 << 20) + 1, 1 << 31, u64::MAX >> 1] {
        assert_trapped(&run(&Policy::default(), &random(len)), "random bytes");
    }
}

#[test]
fn handles_are_limited_and_may_be_used_again() {
    let flood = "(loop (drop (call $sleep (i64.const 0))) (br 0)) (unreachable)";
    assert_trapped(&run(&Policy::default(), &command(flood)), "no free keys");
    let turnover = "(local $n i32)
        (loop (call $drop (call $sleep (i64.const 0)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $n) (i32.const 30000))))
        (i32.const 0)";
    assert_exited(&run(&Policy::default(), &command(turnover)), 0);
    assert_trapped(
        &run(&Policy::default(), &command("(call $drop (i32.const 7)) (i32.const 0)")),
        "handle",
    );
    let early = "(i32.const 0))
        (func $start (loop (drop (call $sleep (i64.const 0))) (br 0))) (start $start";
    assert_trapped(&run(&Policy::default(), &command(early)), "no free keys");
    // Resources of the component's own are memory of the host's as well.
    let own = r#"
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core instance $r (export "new" (func $new)))
        (core module $main
            (import "r" "new" (func $new (param i32) (result i32)))
            (func (export "run") (result i32)
                (loop (drop (call $new (i32.const 0))) (br 0)) (unreachable)))
        (core instance $main (instantiate $main (with "r" (instance $r))))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run)))"#;
    assert_trapped(&run(&Policy::default(), &command(own)), "handle limit");
}

#[test]
fn writes_of_more_than_was_permitted_trap() {
    let zeroes = |len: u64| {
        command(&format!(
            "(local $o i32) (local.set $o (call $stdout))
            (call $permit (local.get $o) (i32.const 0))
            (if (i64.ne (i64.load (i32.const 8)) (i64.const 1048576)) (then (unreachable)))
            (call $zeroes (local.get $o) (i64.const {len}) (i32.const 0))
            (i32.load8_u (i32.const 0))"
        ))
    };
    let mut policy = Policy::default();
    policy.limits.output = Limit::At(Bytes(2 << 20));
    let report = run(&policy, &zeroes(1 << 20));
    assert_exited(&report, 0);
    assert_eq!(report.stdout, vec![0; 1 << 20]);
    assert_trapped(&run(&policy, &zeroes((1 << 20) + 1)), "permitted");
    assert_trapped(&run(&policy, &zeroes(u64::MAX >> 1)), "permitted");
    let write = |len: u32| {
        command(&format!(
            "(call $write (call $stdout) (i32.const 0) (i32.const {len}) (i32.const 0)) (i32.const 0)"
        ))
    };
    assert_trapped(&run(&policy, &write(2 << 20)), "permitted");
    assert_trapped(&run(&policy, &write(16 << 20)), "too much data");
    assert_trapped(&run(&policy, &write(1 << 31)), "out of bounds");
}

/// Between the two, wasmtime generates a module that copies from memory to memory.
#[test]
fn components_in_a_component_call_each_other() {
    let memory = r#"(core module $heap (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
        (core instance $heap (instantiate $heap))
        (alias core export $heap "memory" (core memory $memory))
        (alias core export $heap "realloc" (core func $realloc))"#;
    let text = format!(
        r#"(component $length {memory}
            (core module $m (func (export "length") (param i32 i32) (result i32) (local.get 1)))
            (core instance $m (instantiate $m))
            (func (export "length") (param "s" string) (result u32) (canon lift
                (core func $m "length") (memory $memory) (realloc $realloc))))
        (component $caller {memory}
            (import "length" (func $length (param "s" string) (result u32)))
            (core func $length (canon lower (func $length) (memory $memory)))
            (core instance $host (export "length" (func $length)))
            (core module $m
                (import "host" "length" (func $length (param i32 i32) (result i32)))
                (func (export "run") (result i32)
                    (i32.ne (i32.const 42) (call $length (i32.const 0) (i32.const 42)))))
            (core instance $m (instantiate $m (with "host" (instance $host))))
            (func $run (result (result)) (canon lift (core func $m "run")))
            (export "run" (func $run)))
        (instance $length (instantiate $length))
        (instance $caller (instantiate $caller (with "length" (func $length "length"))))
        (instance (export "wasi:cli/run@0.2.0") (export "run" (func $caller "run")))"#
    );
    assert_exited(&run(&Policy::default(), &command(&text)), 0);
}

#[test]
fn a_module_of_two_memories_is_refused_in_a_component_too() {
    for memories in ["(memory 1) (memory 1)", "(import \"a\" \"b\" (memory 1)) (memory 1)"] {
        let text = format!("(core module $two {memories}) {NOTHING}");
        let error = refused(&Policy::default(), &command(&text));
        assert!(error.to_string().contains("multi-memory"), "{error}");
    }
}

/// Components that instantiate each other twice, within each other or side by side.
#[test]
fn instances_of_instances_without_end_are_refused_before_they_are_written_out() {
    let twice =
        |name: String| format!("(instance (instantiate ${name})) (instance (instantiate ${name}))");
    let first = r#"(component $c0 (core module $m) (core instance (instantiate $m)))"#;
    let within = |depth: usize| {
        (1..=depth).fold(first.to_owned(), |inner, n| {
            format!("(component $c{n} {inner} {})", twice(format!("c{}", n - 1)))
        })
    };
    let beside = |depth: usize| {
        (1..=depth).fold(first.to_owned(), |before, n| {
            format!("{before} (component $c{n} {})", twice(format!("c{}", n - 1)))
        })
    };
    for text in [within(4), beside(4)] {
        let text = format!("{text} (instance (instantiate $c4)) {NOTHING}");
        assert_exited(&run(&Policy::default(), &command(&text)), 0);
    }
    // Within each other, they may not be nested deeper.
    for (text, top) in [(within(14), 14), (beside(40), 40)] {
        let text = format!("{text} (instance (instantiate $c{top})) {NOTHING}");
        let begun = Instant::now();
        let error = refused(&Policy::default(), &command(&text));
        assert!(error.to_string().contains("definitions in all its instances"), "{error}");
        assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    }
}

fn why(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
        + &error.to_string()
}

#[test]
fn a_component_of_another_world_is_refused_by_what_it_exports() {
    let handler = r#"(core module $m (func (export "f") (param i32)))
        (core instance $m (instantiate $m))
        (func $f (param "x" u32) (canon lift (core func $m "f")))
        (export "grade" (func $f))"#;
    for (text, words) in [
        ("(component)".to_owned(), "nothing"),
        (format!("(component {})", NOTHING.replace("(result (result))", "(result u32)")), "run"),
        (format!("(component {handler})"), "`grade`"),
        (format!("(component {})", NOTHING.replace("@0.2.0", "@0.3.0")), "wasi:cli/run@0.3.0"),
        (
            format!("(component {})", NOTHING.replace("\"run\" (func", "\"runs\" (func")),
            "wasi:cli/run",
        ),
    ] {
        let program = Program::module(wat::parse_str(text).expect("well written"));
        let error = refused(&Policy::default(), &program);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(why(&error).contains(words), "{}", why(&error));
    }
}

#[test]
fn an_import_that_is_not_offered_is_named() {
    for (import, words) in [
        (r#"(import "db:store/rows@1.0.0" (instance (export "all" (func))))"#, "db:store/rows"),
        (r#"(import "evaluate" (func))"#, "evaluate"),
        (
            r#"(import "wasi:io/poll@0.3.0" (instance (export "poll" (func))))"#,
            "wasi:io/poll@0.3.0",
        ),
        (
            r#"(import "wasi:cli/exit@0.2.0" (instance (export "exit" (func))))"#,
            "wasi:cli/exit@0.2.0",
        ),
    ] {
        let error = refused(&Policy::default(), &command(&format!("{import} {NOTHING}")));
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(why(&error).contains(words), "{}", why(&error));
    }
}
