//! Functions of the host, called by modules.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Control, ErrorKind, Policy, Verdict};
use stockade_wasm::{HostError, Imports, Outcome, Value, ValueType};

use super::calls::{ended, library};
use super::{SANDBOX, SOON, module, wall};

/// Calls `host.f` with an address and a length, and returns what it says.
const CALLER: &str = r#"(module
    (import "host" "f" (func $f (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 32) "from the guest")
    (func (export "ask") (param i32 i32) (result i32) (call $f (local.get 0) (local.get 1)))
    (func (export "_start") (drop (call $f (i32.const 32) (i32.const 14)))))"#;

type Answer = Result<i32, HostError>;

/// What becomes of one call of `ask`.
fn ask(
    policy: &Policy,
    f: impl Fn(&mut stockade_wasm::HostCall<'_>, (u32, u32)) -> Answer + Send + Sync + 'static,
) -> Outcome<i32> {
    let library = library(policy, CALLER, &Imports::new().function("host", "f", f));
    let ask = library.function::<(u32, u32), i32>("ask").unwrap();
    library.instantiate().unwrap().call(&ask, (32, 14)).unwrap()
}

#[test]
fn a_host_function_reads_and_writes_the_guests_memory() {
    let outcome = ask(&Policy::default(), |call, (at, len)| {
        assert_eq!(call.read(at, len)?, b"from the guest");
        call.write(at, b"to")?;
        assert_eq!(call.read(at, 4)?, b"toom");
        assert!(call.read(65_530, 7).is_err() && call.read(u32::MAX, u32::MAX).is_err());
        assert!(call.write(65_535, b"ab").is_err());
        assert_eq!(call.read(65_536, 0)?, b"");
        Ok(5)
    });
    assert_eq!(outcome, Outcome::Returned(5));
}

#[test]
fn an_error_in_a_host_function_is_a_verdict_that_names_it() {
    let verdict = ended(ask(&Policy::default(), |_, _| Err("no such row".into())));
    assert!(
        matches!(&verdict, Verdict::Trapped { trap, .. }
            if trap == "host function `host.f` failed: no such row"),
        "{verdict:?}"
    );
}

#[test]
fn a_panic_in_a_host_function_is_a_verdict_and_goes_no_further() {
    let verdict = ended(ask(&Policy::default(), |_, _| std::panic::resume_unwind(Box::new("oh"))));
    assert!(
        matches!(&verdict, Verdict::Trapped { trap, .. }
            if trap == "host function `host.f` panicked: oh"),
        "{verdict:?}"
    );
}

#[test]
fn a_host_function_that_overruns_is_charged_and_reported() {
    let verdict = ended(ask(&wall(Duration::from_millis(50)), |_, _| {
        thread::sleep(Duration::from_millis(120));
        Ok(1)
    }));
    let Verdict::Limit { control: Control::WallTime, limit: 50_000_000, observed } = verdict else {
        panic!("{verdict:?}");
    };
    assert!(observed >= 120_000_000, "{observed}");
}

#[test]
fn a_host_function_that_asks_learns_that_the_time_is_over() {
    let begun = Instant::now();
    let verdict = ended(ask(&wall(Duration::from_millis(80)), |call, _| {
        let token = call.token();
        assert!(token.remaining().is_some() && !token.is_cancelled());
        assert!(token.sleep(Duration::from_millis(1)));
        assert!(!token.sleep(Duration::from_secs(3600)));
        assert!(token.is_cancelled());
        Ok(1)
    }));
    assert!(matches!(verdict, Verdict::Limit { control: Control::WallTime, .. }), "{verdict:?}");
    assert!(begun.elapsed() < SOON);
}

#[test]
fn a_kill_wakes_a_host_function_that_sleeps_by_its_token() {
    let (inside, is_inside) = mpsc::channel();
    let f = move |call: &mut stockade_wasm::HostCall<'_>, (_, _): (u32, u32)| -> Answer {
        inside.send(()).expect("the test listens");
        call.token().sleep(Duration::from_secs(3600));
        Ok(1)
    };
    let library = library(&Policy::default(), CALLER, &Imports::new().function("host", "f", f));
    let ask = library.function::<(u32, u32), i32>("ask").unwrap();
    let mut instance = library.instantiate().unwrap();
    let killer = instance.killer();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(instance.call(&ask, (0, 0)).map(ended)));
    is_inside.recv().expect("the function is called");
    killer.kill();
    let verdict = receive.recv_timeout(SOON).expect("the call is over soon").unwrap();
    assert_eq!(verdict, Verdict::Cancelled);
}

#[test]
fn commands_have_host_functions_too() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let imports = Imports::new().function("host", "f", move |_, (_, len): (u32, u32)| {
        counted.fetch_add(len.into(), Ordering::Relaxed);
        Ok(0i32)
    });
    let prepared = SANDBOX.prepare_with(&Policy::default(), &module(CALLER), &imports).unwrap();
    for _ in 0..3 {
        let report = prepared.start(stockade_core::Stdio::captured()).unwrap().wait().unwrap();
        assert!(report.verdict.success());
    }
    assert_eq!(calls.load(Ordering::Relaxed), 42);
}

#[test]
fn a_host_function_of_another_type_than_the_import_is_named() {
    let imports = Imports::new().function("host", "f", |_, _: i64| Ok(()));
    let error = SANDBOX.library(&Policy::default(), &module(CALLER), &imports).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    let cause = std::error::Error::source(&error).expect("the engine's words are kept");
    assert!(cause.to_string().contains("host::f"), "{cause}");
}

#[test]
fn a_host_function_twice_or_in_wasis_place_is_refused() {
    let twice = Imports::new().function("host", "f", |_, (_, _): (u32, u32)| Ok(0i32)).function(
        "host",
        "f",
        |_, (_, _): (u32, u32)| Ok(1i32),
    );
    let wasi = Imports::new().function("wasi_snapshot_preview1", "fd_write", |_, ()| Ok(()));
    for (imports, word) in [(twice, "twice"), (wasi, "WASI")] {
        let error = SANDBOX.library(&Policy::default(), &module(CALLER), &imports).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_host_function_without_types_has_those_of_the_import() {
    const TEXT: &str = r#"(module
        (import "host" "mix" (func $mix (param i32 i64 f32 f64) (result f64 i32)))
        (func (export "mix") (param i32 i64 f32 f64) (result f64 i32)
            (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3))))"#;
    let given = [Value::I32(-1), Value::I64(i64::MIN), Value::F32(0.5), Value::F64(-0.0)];
    let imports = Imports::new().untyped("host", "mix", move |_call, wanted, values| {
        assert_eq!(wanted, [ValueType::F64, ValueType::I32]);
        assert_eq!(values, given);
        Ok(vec![Value::F64(2.5), Value::I32(7)])
    });
    // One that is not imported is no hindrance.
    let imports = imports.untyped("host", "unused", |_, _, _| Ok(Vec::new()));
    let library = library(&Policy::default(), TEXT, &imports);
    let mix = library.untyped("mix").expect("it is exported");
    let outcome = library.instantiate().expect("there is room").call_untyped(&mix, &given);
    let wanted = vec![Value::F64(2.5), Value::I32(7)];
    assert_eq!(outcome.expect("the types fit"), Outcome::Returned(wanted));
}

#[test]
fn a_host_function_with_types_of_run_time_is_held_to_them() {
    let of = |parameters: &[ValueType], results: &[ValueType]| {
        let imports =
            Imports::new().with_types("host", "f", parameters, results, |_call, values| {
                Ok(values[..1].to_vec())
            });
        SANDBOX.library(&Policy::default(), &module(CALLER), &imports)
    };
    let int = ValueType::I32;
    let library = of(&[int, int], &[int]).expect("these are the import's");
    let ask = library.untyped("ask").expect("it is exported");
    let mut instance = library.instantiate().expect("there is room");
    let outcome = instance.call_untyped(&ask, &[Value::I32(5), Value::I32(6)]);
    assert_eq!(outcome.expect("the types fit"), Outcome::Returned(vec![Value::I32(5)]));

    let others: [(&[_], &[_]); 3] =
        [(&[int], &[int]), (&[int, ValueType::I64], &[int]), (&[int, int], &[])];
    for (parameters, results) in others {
        let error = of(parameters, results).expect_err("they are not the import's");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{error}");
        let cause = std::error::Error::source(&error).expect("the engine's words are kept");
        assert!(cause.to_string().contains("host::f"), "{cause}");
    }
}

#[test]
fn a_host_function_that_returns_other_types_than_the_imports_has_failed() {
    let outcome = |answer: Vec<Value>| {
        let imports = Imports::new().untyped("host", "f", move |_, _, _| Ok(answer.clone()));
        let library = library(&Policy::default(), CALLER, &imports);
        let ask = library.untyped("ask").expect("it is exported");
        let arguments = [Value::I32(1), Value::I32(2)];
        let outcome = library.instantiate().expect("there is room").call_untyped(&ask, &arguments);
        outcome.expect("the types fit")
    };
    assert_eq!(outcome(vec![Value::I32(3)]), Outcome::Returned(vec![Value::I32(3)]));
    for answer in [vec![], vec![Value::I64(1)], vec![Value::I32(1), Value::I32(1)]] {
        let verdict = ended(outcome(answer));
        assert!(
            matches!(&verdict, Verdict::Trapped { trap, .. } if trap.contains("other types")),
            "{verdict:?}"
        );
    }
}
