//! Functions of modules, called by the host.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use stockade_core::{Control, ErrorKind, Policy, Verdict};
use stockade_wasm::{Imports, Instance, Library, Outcome, Value, ValueType};

use super::{SANDBOX, SOON, memory, module, wall};

/// Counts, adds, traps, spins, grows, prints and exits.
const LIBRARY: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "hey")
    (global $count (mut i32) (i32.const 0))
    (func (export "count") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (global.get $count))
    (func (export "add") (param i32 i64 f32 f64) (result f64)
        (f64.add
            (f64.add (f64.convert_i32_u (local.get 0)) (f64.convert_i64_s (local.get 1)))
            (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
    (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
    (func (export "trap") unreachable)
    (func (export "spin") (loop (br 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "say") (result i32)
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.const 3))
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "leave") (call $exit (i32.const 4))))"#;

pub(crate) fn library(policy: &Policy, text: &str, imports: &Imports) -> Library {
    SANDBOX.library(policy, &module(text), imports).expect("the library can be prepared")
}

fn instance(policy: &Policy) -> (Library, Instance) {
    let library = library(policy, LIBRARY, &Imports::new());
    let instance = library.instantiate().expect("there is room");
    (library, instance)
}

pub(crate) fn ended<R: std::fmt::Debug>(outcome: Outcome<R>) -> Verdict {
    match outcome {
        Outcome::Ended(verdict) => verdict,
        Outcome::Returned(result) => panic!("it returned {result:?}"),
    }
}

#[test]
fn numbers_of_every_type_go_in_and_out() {
    let (library, mut instance) = instance(&Policy::default());
    let add = library.function::<(u32, i64, f32, f64), f64>("add").unwrap();
    let sum = instance.call(&add, (u32::MAX, -5, 0.5, 0.25)).unwrap();
    assert_eq!(sum, Outcome::Returned(4_294_967_290.75));
    let swap = library.function::<(i32, u64), (u64, i32)>("swap").unwrap();
    assert_eq!(instance.call(&swap, (-7, u64::MAX)).unwrap().returned(), Some((u64::MAX, -7)));
}

#[test]
fn an_instance_keeps_its_state_and_shares_it_with_no_other() {
    let (library, mut first) = instance(&Policy::default());
    let count = library.function::<(), i32>("count").unwrap();
    let mut second = library.instantiate().unwrap();
    for turn in 1..=3 {
        assert_eq!(first.call(&count, ()).unwrap().returned(), Some(turn));
    }
    assert_eq!(second.call(&count, ()).unwrap().returned(), Some(1));
}

#[test]
fn a_function_that_is_not_there_is_named_with_those_that_are() {
    let (library, _) = instance(&Policy::default());
    let error = library.function::<(), ()>("cuont").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("`cuont`") && error.to_string().contains("`count`"));
    let error = library.function::<(i32,), i64>("count").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.to_string().contains("() -> (i32)"), "{error}");
    assert!(error.to_string().contains("(i32) -> (i64)"), "{error}");
    // A memory is no function.
    assert_eq!(library.function::<(), ()>("memory").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_function_of_another_module_is_refused() {
    let (_, mut instance) = instance(&Policy::default());
    let other = r#"(module (func (export "count") (result i32) (i32.const 9)))"#;
    let other = library(&Policy::default(), other, &Imports::new());
    let foreign = other.function::<(), i32>("count").unwrap();
    let error = instance.call(&foreign, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn a_trap_ends_the_instance_for_good() {
    let (library, mut instance) = instance(&Policy::default());
    let trap = library.function::<(), ()>("trap").unwrap();
    let verdict = ended(instance.call(&trap, ()).unwrap());
    assert!(matches!(&verdict, Verdict::Trapped { trap, .. } if trap.contains("unreachable")));
    let count = library.function::<(), i32>("count").unwrap();
    assert_eq!(ended(instance.call(&count, ()).unwrap()), verdict);
    assert_eq!(instance.report().verdict, verdict);
}

#[test]
fn an_exit_ends_the_instance_with_its_status() {
    let (library, mut instance) = instance(&Policy::default());
    let leave = library.function::<(), ()>("leave").unwrap();
    assert_eq!(ended(instance.call(&leave, ()).unwrap()), Verdict::Exited { code: 4 });
}

#[test]
fn time_is_limited_per_call() {
    let limit = Duration::from_millis(300);
    let (library, mut instance) = instance(&wall(limit));
    let count = library.function::<(), i32>("count").unwrap();
    for _ in 0..4 {
        assert!(instance.call(&count, ()).unwrap().returned().is_some());
        thread::sleep(limit / 3);
    }
    let spin = library.function::<(), ()>("spin").unwrap();
    let verdict = ended(instance.call(&spin, ()).unwrap());
    assert!(matches!(verdict, Verdict::Limit { control: Control::WallTime, .. }), "{verdict:?}");
}

#[test]
fn memory_is_limited_over_all_calls() {
    let (library, mut instance) = instance(&memory(4 << 20));
    let grow = library.function::<i32, i32>("grow").unwrap();
    assert_eq!(instance.call(&grow, 31).unwrap().returned(), Some(1));
    assert_eq!(instance.call(&grow, 31).unwrap().returned(), Some(32));
    assert_eq!(instance.report().usage.peak_memory, 63 << 16);
    let verdict = ended(instance.call(&grow, 2).unwrap());
    assert!(matches!(verdict, Verdict::Limit { control: Control::Memory, .. }), "{verdict:?}");
}

#[test]
fn fuel_is_given_anew_to_every_call_and_counted_exactly() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(1000);
    let (library, mut instance) = instance(&policy);
    let count = library.function::<(), i32>("count").unwrap();
    let mut used = Vec::new();
    for _ in 0..500 {
        assert!(instance.call(&count, ()).unwrap().returned().is_some());
        used.push(instance.report().usage.fuel.unwrap());
    }
    used.dedup();
    assert_eq!(used.len(), 1, "{used:?}");
    let spin = library.function::<(), ()>("spin").unwrap();
    let verdict = ended(instance.call(&spin, ()).unwrap());
    assert!(matches!(verdict, Verdict::Limit { control: Control::Fuel, .. }), "{verdict:?}");
}

#[test]
fn what_a_call_prints_is_in_its_report_alone() {
    let (library, mut instance) = instance(&Policy::default());
    let say = library.function::<(), i32>("say").unwrap();
    for _ in 0..2 {
        assert_eq!(instance.call(&say, ()).unwrap().returned(), Some(0));
        let report = instance.report();
        assert_eq!((report.stdout.as_slice(), report.usage.stdout_bytes), (&b"hey"[..], 3));
    }
    let count = library.function::<(), i32>("count").unwrap();
    assert!(instance.call(&count, ()).unwrap().returned().is_some());
    assert!(instance.report().stdout.is_empty());
}

#[test]
fn a_kill_from_another_thread_ends_a_call() {
    let (library, mut instance) = instance(&Policy::default());
    let spin = library.function::<(), ()>("spin").unwrap();
    let killer = instance.killer();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(instance.call(&spin, ()).map(ended)));
    thread::sleep(Duration::from_millis(50));
    killer.kill();
    let verdict = receive.recv_timeout(SOON).expect("the call is over soon").unwrap();
    assert_eq!(verdict, Verdict::Cancelled);
}

#[test]
fn a_library_is_initialized_once_under_the_limits() {
    let text = r#"(module
        (global $ready (mut i32) (i32.const 0))
        (func (export "_initialize")
            (global.set $ready (i32.add (global.get $ready) (i32.const 1))))
        (func (export "ready") (result i32) (global.get $ready)))"#;
    let library = library(&Policy::default(), text, &Imports::new());
    let ready = library.function::<(), i32>("ready").unwrap();
    let mut instance = library.instantiate().unwrap();
    assert_eq!(instance.call(&ready, ()).unwrap().returned(), Some(1));
    assert_eq!(instance.call(&ready, ()).unwrap().returned(), Some(1));
}

#[test]
fn a_library_that_never_gets_ready_is_stopped() {
    for definition in
        ["(func (export \"_initialize\") (loop (br 0)))", "(func $s (loop (br 0))) (start $s)"]
    {
        let text = format!("(module {definition} (func (export \"f\")))");
        let library = library(&wall(Duration::from_millis(100)), &text, &Imports::new());
        let mut instance = library.instantiate().unwrap();
        let f = library.function::<(), ()>("f").unwrap();
        let verdict = ended(instance.call(&f, ()).unwrap());
        assert!(matches!(verdict, Verdict::Limit { control: Control::WallTime, .. }));
    }
}

/// Reverses bytes; knows the other ways of the convention too.
const BYTES: &str = r#"(module
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (global $freed (mut i32) (i32.const 0))
    (func (export "stockade_alloc") (param $len i32) (result i32)
        (local $at i32)
        (local.set $at (global.get $next))
        (global.set $next (i32.add (global.get $next) (local.get $len)))
        (block $fits
            (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
            (drop (memory.grow (i32.add (i32.shr_u (local.get $len) (i32.const 16)) (i32.const 1)))))
        (local.get $at))
    (func (export "stockade_free") (param i32 i32)
        (global.set $freed (i32.add (global.get $freed) (local.get 1))))
    (func (export "freed") (result i32) (global.get $freed))
    (func $pair (param $at i32) (param $len i32) (result i64)
        (i64.or
            (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
            (i64.extend_i32_u (local.get $len))))
    (func (export "reverse") (param $at i32) (param $len i32) (result i64)
        (local $low i32) (local $high i32) (local $byte i32)
        (local.set $low (local.get $at))
        (local.set $high (i32.add (local.get $at) (local.get $len)))
        (loop $more
            (local.set $high (i32.sub (local.get $high) (i32.const 1)))
            (if (i32.lt_s (local.get $low) (local.get $high)) (then
                (local.set $byte (i32.load8_u (local.get $low)))
                (i32.store8 (local.get $low) (i32.load8_u (local.get $high)))
                (i32.store8 (local.get $high) (local.get $byte))
                (local.set $low (i32.add (local.get $low) (i32.const 1)))
                (br $more))))
        (call $pair (local.get $at) (local.get $len)))
    (func (export "outside") (param i32 i32) (result i64)
        (call $pair (i32.const -16) (i32.const 64)))
    (func (export "huge") (param i32 i32) (result i64)
        (call $pair (i32.const 0) (i32.const -1))))"#;

#[test]
fn bytes_go_in_and_come_out() {
    let library = library(&Policy::default(), BYTES, &Imports::new());
    let reverse = library.bytes_function("reverse").unwrap();
    let mut instance = library.instantiate().unwrap();
    for input in [&b""[..], b"a", b"stockade", &[7; 100_000]] {
        let mut expected = input.to_vec();
        expected.reverse();
        let output = instance.call_bytes(&reverse, input).unwrap().returned();
        assert_eq!(output, Some(expected));
    }
    let freed = library.function::<(), u32>("freed").unwrap();
    assert_eq!(instance.call(&freed, ()).unwrap().returned(), Some(100_009));
}

#[test]
fn a_result_outside_memory_is_a_trap_and_one_too_long_a_limit() {
    let library = library(&Policy::default(), BYTES, &Imports::new());
    let outside = library.bytes_function("outside").unwrap();
    let verdict = ended(library.instantiate().unwrap().call_bytes(&outside, b"x").unwrap());
    assert!(matches!(&verdict, Verdict::Trapped { trap, .. } if trap.contains("64 bytes")));
    let huge = library.bytes_function("huge").unwrap();
    let verdict = ended(library.instantiate().unwrap().call_bytes(&huge, b"x").unwrap());
    assert!(matches!(verdict, Verdict::Limit { control: Control::Output, .. }), "{verdict:?}");
}

#[test]
fn a_module_without_the_bytes_convention_is_told_what_it_lacks() {
    let (library, _) = instance(&Policy::default());
    assert_eq!(library.bytes_function("count").unwrap_err().kind(), ErrorKind::InvalidPolicy);
    let text = r#"(module (func (export "f") (param i32 i32) (result i64) (i64.const 0)))"#;
    let bare = SANDBOX.library(&Policy::default(), &module(text), &Imports::new()).unwrap();
    assert!(bare.bytes_function("f").unwrap_err().to_string().contains("`memory`"));
}

#[test]
fn the_stack_is_bounded_between_host_and_guest() {
    let text = r#"(module
        (func $deep (export "deep") (param i32) (result i32)
            (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))"#;
    let library = library(&Policy::default(), text, &Imports::new());
    let deep = library.function::<i32, i32>("deep").unwrap();
    let thread = thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || ended(library.instantiate().unwrap().call(&deep, 0).unwrap()));
    let verdict = thread.unwrap().join().expect("the thread lives");
    assert!(matches!(&verdict, Verdict::Trapped { trap, .. } if trap.contains("stack")));
}

#[test]
fn functions_are_listed_and_called_by_the_types_they_have() {
    let (library, mut instance) = instance(&Policy::default());
    let functions = library.functions();
    let add = functions.iter().find(|function| function.name == "add").expect("it is exported");
    let kinds = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];
    assert_eq!((&*add.parameters, &*add.results), (&kinds[..], &[ValueType::F64][..]));
    assert_eq!(functions.len(), 8, "{functions:?}");

    let swap = library.untyped("swap").unwrap();
    let swapped = instance.call_untyped(&swap, &[Value::I32(-3), Value::I64(4)]).unwrap();
    assert_eq!(swapped, Outcome::Returned(vec![Value::I64(4), Value::I32(-3)]));

    for arguments in [&[][..], &[Value::I32(1)], &[Value::I64(1), Value::I64(1)]] {
        let error = instance.call_untyped(&swap, arguments).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains("takes (i32, i64)"), "{error}");
    }
    assert_eq!(library.untyped("none").unwrap_err().kind(), ErrorKind::NotFound);
    let verdict = ended(instance.call_untyped(&library.untyped("trap").unwrap(), &[]).unwrap());
    assert!(matches!(verdict, Verdict::Trapped { .. }), "{verdict:?}");
}

#[test]
fn a_call_that_is_not_to_go_on_is_cancelled() {
    let (library, mut instance) = instance(&Policy::default());
    let questions = AtomicUsize::new(0);
    instance.ask(Arc::new(move || questions.fetch_add(1, Ordering::Relaxed) < 2));
    let count = library.untyped("count").unwrap();
    assert_eq!(instance.call_untyped(&count, &[]).unwrap(), Outcome::Returned(vec![Value::I32(1)]));
    let spin = library.untyped("spin").unwrap();
    assert_eq!(ended(instance.call_untyped(&spin, &[]).unwrap()), Verdict::Cancelled);
}
