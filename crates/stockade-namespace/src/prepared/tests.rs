use std::thread;
use std::time::{Duration, Instant};

use stockade_core::{Policy, Program, Sandbox, Stdio};

use super::{NamespacePrepared, waiters};
use crate::prepare::Blueprint;
use crate::sandbox::NamespaceSandbox;
use crate::warden::Waiters;

/// A program whose sandboxes can be had to wait, unless there is nothing to build them from.
fn prepared(sandbox: &NamespaceSandbox) -> NamespacePrepared {
    let begun = Instant::now();
    let wardens = sandbox.wardens();
    let mut policy = Policy::default();
    policy.best_effort = stockade_core::Control::ALL.into_iter().collect();
    let abi = wardens.landlock_abi;
    let program = Program::executable("true");
    let blueprint = Blueprint::draw(&wardens.host, sandbox.support(), abi, &policy, &program);
    let blueprint = blueprint.expect("it can be had everywhere");
    NamespacePrepared::new(wardens.clone(), blueprint, begun).expect("the warden lives")
}

#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn sandbox() -> Option<NamespaceSandbox> {
    let sandbox = NamespaceSandbox::new();
    if let Err(error) = &sandbox {
        assert_eq!(error.kind(), stockade_core::ErrorKind::Unsupported, "{error:?}");
        println!("SKIP: {}: {error}", thread::current().name().unwrap_or_default());
    }
    sandbox.ok()
}

/// The inits of what waits.
fn inits(sandbox: &NamespaceSandbox) -> Vec<String> {
    let warden = sandbox.warden_id().expect("there is a warden");
    let path = format!("/proc/{warden}/task/{warden}/children");
    let text = std::fs::read_to_string(path).expect("the warden lives");
    text.split_whitespace().map(str::to_owned).collect()
}

fn soon(mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn what_has_waited_too_long_is_replaced() {
    let Some(sandbox) = sandbox() else { return };
    let prepared = prepared(&sandbox);
    let registration = prepared.registration().expect("the warden lives");
    let short = Waiters { age: Duration::from_millis(300), ..waiters(2) };
    registration.warm(short).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
    let first = inits(&sandbox);
    assert!(soon(|| {
        let now = inits(&sandbox);
        now.len() == 2 && now.iter().all(|pid| !first.contains(pid))
    }));
    // None but those that wait is ended: what was taken is its taker's, however long it takes.
    let taken = registration.waiting().expect("one waits");
    thread::sleep(Duration::from_millis(1500));
    let ends = taken.begin(&stockade_core::Input::Empty).expect("its gate is there");
    let mut news = [rustix::event::PollFd::new(&ends.socket, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut news, None).expect("it can be waited for");
    let mut board = [0u8; 512];
    let (bytes, _) =
        rustix::net::recv(&ends.socket, &mut board[..], rustix::net::RecvFlags::empty())
            .expect("it reports");
    let account = crate::account::Account::read(&board[..bytes]);
    assert_eq!(account.get(stockade_warden::wire::board::Word::Stop), 0);
    assert_ne!(account.get(stockade_warden::wire::board::Word::TimeExec), 0);
}

#[test]
fn nothing_waits_while_memory_is_short() {
    let Some(sandbox) = sandbox() else { return };
    let prepared = prepared(&sandbox);
    let registration = prepared.registration().expect("the warden lives");
    registration.warm(waiters(2)).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
    let more_than_there_is = Waiters { floor: u64::MAX, ..waiters(2) };
    registration.warm(more_than_there_is).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).is_empty()));
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(sandbox.census().expect("the warden lives").waiting, 0);
    let run = stockade_core::Prepared::start(&prepared, Stdio::captured()).expect("it starts");
    assert!(run.wait().expect("it is reported").verdict.success());
    registration.warm(waiters(2)).expect("the warden lives");
    assert!(soon(|| inits(&sandbox).len() == 2));
}
