//! The host that is killed: it keeps sandboxes of all kinds busy until its input ends.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use stockade::{
    Base, Execution, Limit, Mount, NamespaceSandbox, Policy, Program, Report, Sandbox, Stdio,
};
use stockade_endurance::mix::{Crew, Mix, accept_approximations};
use stockade_endurance::{Failure, Watchdog};
use stockade_guests::{Guest, HELLO, IGNORE_SIGNALS_AND_STOP, ORPHAN_STORM, SLEEP_FOREVER};

/// What it says, with a process id, of its warden.
pub(super) const WARDEN: &str = "warden ";
/// What it says once all kinds of its sandboxes are alive, and with them both kinds of wardens.
pub(super) const BUSY: &str = "busy";
/// What it says, with a number, of runs whose warden was lost.
pub(super) const LOST: &str = "lost ";
/// What it says when all of its runs have ended as they had to.
pub(super) const DONE: &str = "done";
/// A run that takes longer will never end.
const PATIENCE: Duration = Duration::from_secs(40);
const THREADS: u64 = 4;

/// Acts as a host.
pub(super) fn act(seed: &str) -> Result<(), Failure> {
    let seed = seed.parse().map_err(|_| "a host is given its seed")?;
    let sandbox = NamespaceSandbox::new()?;
    println!("{WARDEN}{}", sandbox.warden_id()?);
    let mut mix = Mix::default();
    mix.add_native(&sandbox)?;
    let held = [
        hold(&sandbox, &SLEEP_FOREVER, &[], Stdio::captured())?,
        hold(&sandbox, &IGNORE_SIGNALS_AND_STOP, &[], Stdio::streamed())?,
        hold(&sandbox, &ORPHAN_STORM, &["20", "3600000"], Stdio::discarded())?,
    ];
    println!("{BUSY}");

    #[expect(clippy::exit, reason = "a thread that hangs cannot be asked to end")]
    let dog = Watchdog::new(PATIENCE, |what| {
        println!("trouble: {what}");
        std::process::exit(1);
    });
    let over = AtomicBool::new(false);
    let crew = Crew { threads: THREADS, seed, runs: u64::MAX, over: &over, dog: &dog };
    let churned = thread::scope(|scope| {
        let builder = scope.spawn(|| build_roots(&sandbox, &over));
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            over.store(true, Ordering::Relaxed);
        });
        let churned = mix.churn(&crew, true);
        builder.join().map_err(|_| "the builder panicked")??;
        churned
    })?;
    let seat = dog.seat();
    seat.watched("dropping what was held", || drop(held));
    let report = seat.watched("the last run", || fresh(&sandbox, "the last"))?;
    if report.stdout != b"hello\n" {
        return Err(format!("the last run: {:?}", report.verdict).into());
    }
    println!("{LOST}{}", churned.lost);
    println!("{DONE}");
    Ok(())
}

/// Starts a run that lasts as long as this process.
fn hold(
    sandbox: &NamespaceSandbox,
    guest: &Guest,
    args: &[&str],
    stdio: Stdio,
) -> Result<Box<dyn Execution>, Failure> {
    let mut policy = policy(sandbox, guest);
    policy.limits.wall_time = Limit::Unlimited;
    policy.limits.cpu_time = Limit::Unlimited;
    let program = Program::executable("/guest").args(args);
    Ok(sandbox.prepare(&policy, &program)?.start(stdio)?)
}

fn policy(sandbox: &NamespaceSandbox, guest: &Guest) -> Policy {
    let mut policy = Policy::default();
    policy.filesystem.base = Base::Empty;
    policy.filesystem.mounts.push(Mount::read_only(guest.path, "/guest"));
    accept_approximations(&mut policy, sandbox);
    policy
}

/// Has new roots built, one after the other.
fn build_roots(sandbox: &NamespaceSandbox, over: &AtomicBool) -> Result<(), Failure> {
    let mut number = 0u64;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        match fresh(sandbox, &number.to_string()) {
            Ok(report) if report.verdict.success() => {}
            Err(error) if error.kind() == stockade::ErrorKind::HostLost => {}
            other => return Err(format!("a run in a new root: {other:?}").into()),
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A run in a root that no other has, since a file of it is new.
fn fresh(sandbox: &NamespaceSandbox, text: &str) -> stockade::Result<Report> {
    let mut policy = policy(sandbox, &HELLO);
    policy.filesystem.mounts.push(Mount::file("/new", text));
    sandbox.run(&policy, &Program::executable("/guest"))
}
