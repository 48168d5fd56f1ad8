//! Components: what commands of preview 1 do, they do as components of preview 2 as well.

mod by_hand;
mod files;

use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{
    Bytes, Control, ErrorKind, Execution, Limit, OutputOverflow, Policy, Program, Report, Sandbox,
    Stdio, Verdict,
};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wit_component::ComponentEncoder;

use self::by_hand::{NOTHING, STDIN_OR_NEVER, command};
use crate::guests::{HELLO, cat, flood, guest, guest_with, print, sleep};
use crate::{
    SANDBOX, SOON, assert_exited, assert_limit, assert_trapped, memory, refused, wait_soon,
};

const HOUR: u64 = 3_600_000_000_000;

/// A command of preview 1 as a component.
fn componentized(text: &str) -> Program {
    let module = wat::parse_str(text).expect("the guest is well written");
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    encoder = encoder
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
        .unwrap();
    Program::module(encoder.encode().unwrap())
}

fn start(policy: &Policy, program: &Program, stdio: Stdio) -> Box<dyn Execution> {
    let prepared = SANDBOX.prepare(policy, program).expect("the guest can be prepared");
    prepared.start(stdio).expect("the guest starts")
}

fn run(policy: &Policy, program: &Program) -> Report {
    wait_soon(start(policy, program, Stdio::captured())).expect("the guest is reported on")
}

fn spin() -> Program {
    componentized(&guest("(loop (br 0))"))
}

fn limited(text: &str, control: Control, change: impl FnOnce(&mut Policy)) -> Report {
    let mut policy = Policy::default();
    change(&mut policy);
    let report = run(&policy, &componentized(text));
    assert_limit(&report, control);
    report
}

#[test]
fn a_component_says_hello() {
    let report = run(&Policy::default(), &componentized(HELLO));
    assert_exited(&report, 0);
    assert_eq!(report.stdout, b"hello\n");
    assert_eq!(report.usage.stdout_bytes, 6);
    assert!(report.usage.peak_memory >= 65_536, "{:?}", report.usage);
}

/// The adapter tells success from failure and no more.
#[test]
fn an_exit_of_preview_1_is_success_or_failure() {
    for (code, expected) in [(0, 0), (1, 1), (3, 1)] {
        let program = componentized(&guest(&format!("(call $exit (i32.const {code}))")));
        assert_exited(&run(&Policy::default(), &program), expected);
    }
}

#[test]
fn arguments_and_environment_arrive() {
    let text = guest(
        "(drop (call $args_sizes (i32.const 16) (i32.const 20)))
        (drop (call $args (i32.const 64) (i32.const 1024)))
        (drop (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 20))))
        (drop (call $environ_sizes (i32.const 16) (i32.const 20)))
        (drop (call $environ (i32.const 64) (i32.const 1024)))
        (drop (call $say (i32.const 2) (i32.const 1024) (i32.load (i32.const 20))))",
    );
    let mut policy = Policy::default();
    policy.process.env.insert("KEY".into(), "a=b".into());
    let report = run(&policy, &componentized(&text).args(["one", "", "zwei ü"]));
    assert_exited(&report, 0);
    assert_eq!(report.stdout, "module\0one\0\0zwei ü\0".as_bytes());
    assert!(report.stderr.windows(8).any(|part| part == b"KEY=a=b\0"), "{:?}", report.stderr);
}

#[test]
fn an_argument_that_is_no_text_is_refused_before_the_start() {
    let program = componentized(HELLO).args([std::ffi::OsStr::from_bytes(b"\xff")]);
    let error = refused(&Policy::default(), &program);
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.to_string().contains("argument 0"), "{error}");
    assert_exited(&run(&Policy::default(), &crate::module(HELLO).args(program.args)), 0);
}

#[test]
fn bytes_arrive_whatever_their_number() {
    let program = componentized(&cat());
    for len in [0, 1, 32_768, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let stdio = Stdio::captured().stdin(bytes.clone());
        let report = wait_soon(start(&Policy::default(), &program, stdio)).unwrap();
        assert_exited(&report, 0);
        assert_eq!(report.stdout, bytes);
    }
}

#[test]
fn a_pipe_and_a_live_stream_are_read_to_their_end() {
    let program = componentized(&cat());
    let (reader, mut writer) = pipe().unwrap();
    let feeder = thread::spawn(move || writer.write_all(&[7; 200_000]).unwrap());
    let stdio = Stdio::captured().stdin(OwnedFd::from(reader));
    let report = wait_soon(start(&Policy::default(), &program, stdio)).unwrap();
    feeder.join().unwrap();
    assert_exited(&report, 0);
    assert_eq!(report.stdout, [7; 200_000]);

    let mut run = start(&Policy::default(), &program, Stdio::streamed());
    let (mut stdin, mut stdout) = (run.stdin().unwrap(), run.stdout().unwrap());
    stdin.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stdout.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
    drop(stdin);
    assert_exited(&wait_soon(run).unwrap(), 0);
}

#[test]
fn loops_and_sleeps_end_with_their_time() {
    let short = Duration::from_millis(200);
    let spin = guest("(loop (br 0))");
    let begun = Instant::now();
    limited(&spin, Control::CpuTime, |policy| policy.limits.cpu_time = short.into());
    limited(&spin, Control::WallTime, |policy| {
        policy.limits.cpu_time = Limit::Unlimited;
        policy.limits.wall_time = short.into();
    });
    for nanoseconds in [HOUR, u64::MAX] {
        limited(&sleep(nanoseconds), Control::WallTime, |policy| {
            policy.limits.wall_time = short.into();
        });
    }
    assert!(begun.elapsed() < 4 * SOON, "it took {:?}", begun.elapsed());
}

#[test]
fn a_sleep_lasts_as_long_as_was_asked() {
    let begun = Instant::now();
    assert_exited(&run(&Policy::default(), &componentized(&sleep(50_000_000))), 0);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

/// Starts a guest, lets it come to where it is to be stopped, and stops it.
fn assert_cancelled(program: &Program, stdio: Stdio) {
    let execution = start(&Policy::default(), program, stdio);
    let killer = execution.killer();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let at = Instant::now();
        killer.kill();
        at
    });
    let report = wait_soon(execution).expect("it is reported on");
    let took = thread.join().expect("no panic").elapsed();
    assert!(took < SOON, "it took {took:?}");
    assert_eq!(report.verdict, Verdict::Cancelled);
}

#[test]
fn a_component_can_be_cancelled_wherever_it_is() {
    assert_cancelled(&spin(), Stdio::captured());
    assert_cancelled(&componentized(&sleep(HOUR)), Stdio::captured());
    let (reader, _writer) = pipe().unwrap();
    assert_cancelled(&componentized(&cat()), Stdio::captured().stdin(OwnedFd::from(reader)));
    assert_cancelled(&command(STDIN_OR_NEVER), {
        let (reader, writer) = pipe().unwrap();
        std::mem::forget(writer);
        Stdio::captured().stdin(OwnedFd::from(reader))
    });
}

#[test]
fn a_component_can_be_cancelled_while_it_fills_a_stream_that_nobody_reads() {
    let mut execution = start(&Policy::default(), &componentized(&flood()), Stdio::streamed());
    let _stdout = execution.stdout();
    let killer = execution.killer();
    thread::sleep(Duration::from_millis(50));
    killer.kill();
    assert_eq!(wait_soon(execution).unwrap().verdict, Verdict::Cancelled);
}

#[test]
fn output_is_limited_to_the_byte() {
    let mut policy = Policy::default();
    policy.limits.output = Limit::At(Bytes(10_000));
    assert_exited(&run(&policy, &componentized(&print(1, 10_000))), 0);
    let report = run(&policy, &componentized(&print(1, 10_001)));
    let expected = Verdict::Limit { control: Control::Output, limit: 10_000, observed: 10_001 };
    assert_eq!(report.verdict, expected);
    assert_eq!(report.stdout.len(), 10_000);
    assert_limit(&run(&policy, &componentized(&flood())), Control::Output);
    policy.limits.output_overflow = OutputOverflow::Truncate;
    let report = run(&policy, &componentized(&print(2, 10_001)));
    assert_exited(&report, 0);
    assert!(report.output.stderr_truncated);
}

#[test]
fn memory_is_limited_over_all_memories() {
    let text = guest("(loop (drop (memory.grow (i32.const 1))) (br 0))");
    let report = run(&memory(4 << 20), &componentized(&text));
    assert_limit(&report, Control::Memory);
    assert!(report.usage.peak_memory > 3 << 20 && report.usage.peak_memory <= 4 << 20);

    let two = r#"(core module $m (memory 40)) (core instance (instantiate $m))
        (core instance (instantiate $m))"#;
    let program = command(&format!("{two} {NOTHING}"));
    assert_exited(&run(&memory(6 << 20), &program), 0);
    assert_limit(&run(&memory(4 << 20), &program), Control::Memory);
    assert_eq!(refused(&memory(2 << 20), &program).kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn fuel_stops_at_the_same_count_each_time() {
    let mut policy = Policy::default();
    policy.limits.fuel = Some(100_000);
    let program = spin();
    for _ in 0..5 {
        let report = run(&policy, &program);
        assert_limit(&report, Control::Fuel);
        assert_eq!(report.usage.fuel, Some(100_000));
    }
    let hello = componentized(HELLO);
    policy.limits.fuel = Some(10_000_000);
    let used = run(&policy, &hello).usage.fuel.expect("it was counted");
    assert!(used > 100 && used < 1_000_000, "{used}");
    assert_eq!(run(&policy, &hello).usage.fuel, Some(used));
}

#[test]
fn a_trap_is_a_trap() {
    let cases = [
        ("(unreachable)", "unreachable"),
        ("(drop (i32.load (i32.const -4)))", "out of bounds memory"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "divide by zero"),
    ];
    for (start, words) in cases {
        assert_trapped(&run(&Policy::default(), &componentized(&guest(start))), words);
    }
    let recursion = guest_with(
        "(memory (export \"memory\") 1)",
        "(func $f (param i64) (result i64)
            (i64.add (i64.const 1) (call $f (i64.add (local.get 0) (i64.const 1)))))",
        "(drop (call $f (i64.const 0)))",
    );
    assert_trapped(&run(&Policy::default(), &componentized(&recursion)), "stack");
}
