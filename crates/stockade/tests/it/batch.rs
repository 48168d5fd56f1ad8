//! Batches over the real backends.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use stockade::batch::{self, Job, Options};
use stockade::{Ability, Control, Policy, Program, Sandbox, Verdict, WasmSandbox};

/// Writes what it reads.
const CAT: &str = r#"(module
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

const SPIN: &str = r#"(module (func (export "_start") (loop $again (br $again))))"#;

fn module(text: &str) -> Program {
    Program::module(wat::parse_str(text).expect("a module"))
}

fn modules() -> Arc<dyn Sandbox> {
    Arc::new(WasmSandbox::new().expect("a sandbox"))
}

#[cfg(feature = "namespace")]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn native(test: &str) -> Option<Arc<dyn Sandbox>> {
    match stockade::NamespaceSandbox::new() {
        Ok(sandbox) => Some(Arc::new(sandbox)),
        Err(error) if error.kind() == stockade::ErrorKind::Unsupported => {
            let declared = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
            assert!(!declared.split(',').any(|word| word == "userns"), "{error:?}");
            println!("SKIP: {test}: {error}");
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The default policy with little memory, and best effort for what this host only approximates.
pub(crate) fn policy(sandbox: &dyn Sandbox) -> Policy {
    let mut policy = Policy::default();
    policy.limits.memory = (32 << 20).into();
    policy.limits.wall_time = Duration::from_secs(60).into();
    let approximated = |control: &Control| {
        policy.asks_for(*control)
            && matches!(sandbox.support().ability(*control), Ability::Approximated { .. })
    };
    policy.best_effort = Control::ALL.into_iter().filter(approximated).collect();
    policy
}

#[test]
fn each_module_gets_its_own_input_and_gives_its_own_output() {
    let sandbox = modules();
    let policy = Arc::new(policy(&*sandbox));
    let program = module(CAT);
    let jobs = (0..100).map(move |number: u32| {
        Job::new(sandbox.clone(), policy.clone(), program.clone()).stdin(number.to_string())
    });
    let mut seen = [false; 100];
    for (index, result) in batch::run_all(jobs, Options::default()).expect("a batch") {
        let report = result.expect("a report");
        assert_eq!(report.verdict, Verdict::Exited { code: 0 });
        assert_eq!(report.stdout, index.to_string().as_bytes());
        assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
    }
    assert!(seen.iter().all(|seen| *seen));
}

#[cfg(feature = "namespace")]
#[test]
fn both_backends_share_a_batch() {
    let Some(native) = native("both_backends_share_a_batch") else { return };
    let modules = modules();
    let (tame, wild) = (Arc::new(policy(&*modules)), Arc::new(policy(&*native)));
    let cat = module(CAT);
    let jobs = (0..40).map(move |number: u32| {
        let job = match number % 2 {
            0 => Job::new(modules.clone(), tame.clone(), cat.clone()),
            _ => Job::new(native.clone(), wild.clone(), Program::executable("cat")),
        };
        job.stdin(number.to_string())
    });
    let mut count = 0;
    for (index, result) in batch::run_all(jobs, Options::default()).expect("a batch") {
        let report = result.expect("a report");
        assert_eq!(report.stdout, index.to_string().as_bytes(), "{report:?}");
        assert_eq!(report.backend, ["wasm", "namespace"][index % 2]);
        count += 1;
    }
    assert_eq!(count, 40);
}

#[cfg(feature = "namespace")]
#[test]
fn programs_are_waiting_when_the_policy_asks_for_it() {
    let Some(sandbox) = native("programs_are_waiting_when_the_policy_asks_for_it") else { return };
    let mut policy = policy(&*sandbox);
    policy.warm = 2;
    let policy = Arc::new(policy);
    let jobs = (0..30).map(move |number: u32| {
        let job = Job::new(sandbox.clone(), policy.clone(), Program::executable("cat"));
        job.stdin(number.to_string())
    });
    for (index, result) in batch::run_all(jobs, Options::default()).expect("a batch") {
        assert_eq!(result.expect("a report").stdout, index.to_string().as_bytes());
    }
}

/// Sleeps an hour, natively.
#[cfg(feature = "namespace")]
fn sleepers(sandbox: &Arc<dyn Sandbox>) -> impl Iterator<Item = Job> + Send + use<> {
    let (sandbox, policy) = (sandbox.clone(), Arc::new(policy(&**sandbox)));
    std::iter::repeat_with(move || {
        let program = Program::executable("sleep").arg("3600");
        Job::new(sandbox.clone(), policy.clone(), program)
    })
}

#[cfg(feature = "namespace")]
#[test]
fn a_killer_ends_every_program_and_the_batch() {
    let Some(sandbox) = native("a_killer_ends_every_program_and_the_batch") else { return };
    let begun = Instant::now();
    let batch = batch::run_all(sleepers(&sandbox), Options::default()).expect("a batch");
    let killer = batch.killer();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        killer.kill();
    });
    let verdicts: Vec<_> = batch.map(|(_, result)| result.expect("a report").verdict).collect();
    stopper.join().expect("no panic");
    assert!(!verdicts.is_empty());
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Cancelled), "{verdicts:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[cfg(feature = "namespace")]
#[test]
fn dropping_a_batch_ends_its_programs() {
    let Some(sandbox) = native("dropping_a_batch_ends_its_programs") else { return };
    let begun = Instant::now();
    let batch = batch::run_all(sleepers(&sandbox), Options::default()).expect("a batch");
    while batch.running() == 0 {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(100));
    drop(batch);
    assert!(begun.elapsed() < Duration::from_secs(30));
    // What the batch shared was given back with its threads.
    assert_eq!(Arc::strong_count(&sandbox), 1);
}

#[test]
fn a_module_that_never_ends_is_killed_with_its_batch() {
    let begun = Instant::now();
    let sandbox = modules();
    let program = module(SPIN);
    let policy = Arc::new(policy(&*sandbox));
    let jobs =
        std::iter::repeat_with(move || Job::new(sandbox.clone(), policy.clone(), program.clone()));
    let batch = batch::run_all(jobs, Options::default()).expect("a batch");
    thread::sleep(Duration::from_millis(300));
    drop(batch);
    assert!(begun.elapsed() < Duration::from_secs(30));
}
