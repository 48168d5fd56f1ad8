//! How do I stop a run from another thread?
//!
//! Prints:
//!
//! ```text
//! stopping it after 100 ms
//! verdict: Cancelled
//! it would have slept for an hour; it ran for 0.1 s
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::thread;
use std::time::Duration;

use stockade::{Limit, Policy, Program, Stdio, Verdict};
use stockade_examples::accept_approximations;

fn main() -> stockade::Result<()> {
    let program = Program::executable("sleep").arg("3600");
    let sandbox = stockade::auto(&program)?;
    let mut policy = Policy::default();
    policy.limits.wall_time = Limit::Unlimited;
    accept_approximations(&mut policy, &*sandbox);

    let run = sandbox.prepare(&policy, &program)?.start(Stdio::captured())?;

    // A killer can be cloned, sent to any thread, and used after the run has ended.
    let killer = run.killer();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        println!("stopping it after 100 ms");
        killer.kill();
    });

    let report = run.wait()?;
    stopper.join().expect("the thread does not panic");
    println!("verdict: {:?}", report.verdict);
    let seconds = Duration::from_nanos(report.usage.wall_ns).as_secs_f64();
    println!("it would have slept for an hour; it ran for {seconds:.1} s");
    assert_eq!(report.verdict, Verdict::Cancelled);
    Ok(())
}
