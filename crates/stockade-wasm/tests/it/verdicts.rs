//! How runs end by themselves.

use std::thread;
use std::time::Duration;

use stockade_core::{Control, Limit, Policy, Sandbox, Stdio, Verdict};
use stockade_wasm::WasmSandbox;

use crate::guests::{HELLO, SPIN, SPIN_IN_START, guest, guest_with};
use crate::{
    SANDBOX, assert_exited, assert_limit, assert_trapped, memory, module, prepare, run, wall,
};

#[test]
fn hello_is_printed_and_the_end_of_start_is_success() {
    let report = run(&Policy::default(), HELLO);
    assert!(report.verdict.success());
    assert_eq!(report.stdout, b"hello\n");
    assert_eq!(report.backend, "wasm");
    assert_eq!(report.usage.stdout_bytes, 6);
    assert_eq!(report.usage.peak_memory, 65_536);
    assert_eq!(report.usage.fuel, None);
    assert!(report.usage.wall_ns > 0);
}

#[test]
fn the_exit_code_is_the_guests() {
    for status in [0, 1, 3, 255, -1, i32::MIN] {
        let text = guest(&format!("(call $exit (i32.const {status}))"));
        assert_exited(&run(&Policy::default(), &text), status);
    }
}

#[test]
fn arguments_and_environment_arrive_in_order_and_nothing_of_the_hosts() {
    let start = "(call $done (call $args_sizes (i32.const 16) (i32.const 20)))
        (call $done (call $args (i32.const 64) (i32.const 1024)))
        (drop (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 20))))
        (call $done (call $environ_sizes (i32.const 24) (i32.const 28)))
        (call $done (call $environ (i32.const 64) (i32.const 8192)))
        (drop (call $say (i32.const 2) (i32.const 8192) (i32.load (i32.const 28))))
        (call $exit (i32.add (i32.load (i32.const 16)) (i32.load (i32.const 24))))";
    let mut policy = Policy::default();
    policy.process.env.clear();
    policy.process.env.insert("A".to_owned(), "b=c".to_owned());
    policy.process.env.insert("EMPTY".to_owned(), String::new());
    let program = module(&guest(start)).args(["one", "", "två"]);
    let report = SANDBOX.run(&policy, &program).expect("it runs");
    assert_exited(&report, 6);
    assert_eq!(report.stdout, "module\0one\0\0två\0".as_bytes());
    assert_eq!(report.stderr, b"A=b=c\0EMPTY=\0");
}

#[test]
fn traps_are_named() {
    let cases = [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.load (i32.const 0))))", "divide by zero"),
        ("(drop (i32.load (i32.const 65533)))", "out of bounds memory"),
        ("(drop (i32.load (i32.const -4)))", "out of bounds memory"),
        ("(drop (i32.trunc_f32_u (f32.const nan)))", "invalid conversion"),
    ];
    for (start, words) in cases {
        assert_trapped(&run(&Policy::default(), &guest(start)), words);
    }
}

const RECURSION: &str = r#"(module
    (func $f (param i64 i64) (result i64)
        (i64.add (local.get 1) (call $f (local.get 1) (i64.add (local.get 0) (i64.const 1)))))
    (func (export "_start") (drop (call $f (i64.const 0) (i64.const 0)))))"#;

#[test]
fn endless_recursion_is_a_trap() {
    assert_trapped(&run(&Policy::default(), RECURSION), "stack");
}

#[test]
fn endless_recursion_is_a_trap_on_a_thread_with_a_small_stack_too() {
    let prepared = prepare(&Policy::default(), RECURSION);
    thread::scope(|scope| {
        for size in [128 << 10, 256 << 10, 600 << 10] {
            let run = || {
                let execution = prepared.start(Stdio::captured()).expect("starts");
                execution.wait().expect("is reported on")
            };
            let thread = thread::Builder::new().stack_size(size).spawn_scoped(scope, run);
            let report = thread.expect("a thread").join().expect("no panic");
            assert_trapped(&report, "stack");
        }
    });
}

#[test]
fn cpu_time_stops_a_loop() {
    let mut policy = Policy::default();
    policy.limits.cpu_time = Duration::from_millis(100).into();
    for text in [SPIN, SPIN_IN_START] {
        let report = run(&policy, text);
        assert_limit(&report, Control::CpuTime);
        assert!(report.usage.cpu_ns() >= 100_000_000);
        assert!(report.usage.cpu_ns() < 1_000_000_000, "{:?}", report.usage);
    }
}

#[test]
fn wall_time_stops_a_loop_whose_cpu_time_is_unlimited() {
    let mut policy = wall(Duration::from_millis(100));
    policy.limits.cpu_time = Limit::Unlimited;
    for text in [SPIN, SPIN_IN_START] {
        assert_limit(&run(&policy, text), Control::WallTime);
    }
}

#[test]
fn limits_shorter_than_a_start_takes_stop_as_well() {
    for limit in [1, 1_000, 20_000, 100_000] {
        for _ in 0..20 {
            let limit = Duration::from_nanos(limit);
            let mut policy = wall(limit);
            policy.limits.cpu_time = Limit::Unlimited;
            if let Ok(prepared) = SANDBOX.prepare(&policy, &module(SPIN)) {
                let execution = prepared.start(Stdio::captured()).expect("starts");
                let report = crate::wait_soon(execution).expect("it is reported on");
                assert_limit(&report, Control::WallTime);
            }
        }
    }
}

#[test]
fn growing_past_the_memory_limit_ends_the_run_with_its_peak() {
    let text = guest("(loop (drop (memory.grow (i32.const 1))) (br 0))");
    let report = run(&memory(4 << 20), &text);
    assert_limit(&report, Control::Memory);
    assert_eq!(report.usage.peak_memory, 4 << 20);
}

#[test]
fn a_guest_that_grows_past_what_it_declares_is_told_no() {
    let text = guest_with(
        "(memory (export \"memory\") 1 2)",
        "",
        "(call $exit (memory.grow (i32.const 2)))",
    );
    assert_exited(&run(&Policy::default(), &text), -1);
}

#[test]
fn tables_count_as_memory() {
    let text = guest_with(
        "(memory (export \"memory\") 1)",
        "(table $t 1 funcref)",
        "(loop (br_if 0 (i32.ne (i32.const -1)
            (table.grow $t (ref.null func) (i32.const 1000)))))",
    );
    let report = run(&memory(1 << 20), &text);
    // Up to the limit, or to the most elements a table may have.
    match report.verdict {
        Verdict::Limit { .. } => assert_limit(&report, Control::Memory),
        _ => assert_exited(&report, 0),
    }
    assert!(report.usage.peak_memory > 700_000, "{:?}", report.usage);
    assert!(report.usage.peak_memory <= 1 << 20, "{:?}", report.usage);
}

#[test]
fn fuel_stops_at_the_same_count_each_time() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(100_000);
    let first = run(&policy, SPIN);
    assert_limit(&first, Control::Fuel);
    for _ in 0..10 {
        let again = run(&policy, SPIN);
        assert_eq!(again.verdict, first.verdict);
        assert_eq!(again.usage.fuel, first.usage.fuel);
    }
    assert_eq!(first.usage.fuel, Some(100_000));
}

#[test]
fn fuel_used_is_the_same_each_time_and_enough_of_it_is_enough() {
    let count = guest(
        "(local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000))))",
    );
    let mut policy = Policy::default();
    policy.limits.fuel = Some(1_000_000);
    let used = run(&policy, &count).usage.fuel.expect("it was counted");
    assert!((1_000..100_000).contains(&used), "{used}");
    for _ in 0..10 {
        assert_eq!(run(&policy, &count).usage.fuel, Some(used));
    }
    policy.limits.fuel = Some(used);
    assert!(run(&policy, &count).verdict.success());
    // The budget is looked at where functions begin and loops go round.
    policy.limits.fuel = Some(used - 100);
    assert_limit(&run(&policy, &count), Control::Fuel);
}

#[test]
fn a_trap_has_a_backtrace_that_names_functions_only_when_asked_for() {
    let text = r#"(module
        (func $inner unreachable)
        (func $outer (call $inner))
        (func (export "_start") (call $outer)))"#;
    let asked = WasmSandbox::builder().backtraces(true).build().unwrap();
    let report = asked.run(&Policy::default(), &module(text)).unwrap();
    let Verdict::Trapped { backtrace: Some(backtrace), .. } = report.verdict else {
        panic!("{:?}", report.verdict);
    };
    assert!(backtrace.contains("inner") && backtrace.contains("outer"), "{backtrace}");
    let report = run(&Policy::default(), text);
    assert!(matches!(report.verdict, Verdict::Trapped { backtrace: None, .. }));
}
