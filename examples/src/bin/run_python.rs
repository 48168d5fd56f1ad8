//! How do I run Python that somebody else wrote?
//!
//! Prints (times and peak differ from run to run):
//!
//! ```text
//! it printed: 5050
//! verdict: Exited { code: 0 }
//! used: 8 ms wall, 8 ms CPU, 3.0 MiB at most
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use stockade::{Policy, Program};
use stockade_examples::accept_approximations;

fn main() -> stockade::Result<()> {
    let program = Program::executable("python3").args(["-c", "print(sum(range(101)))"]);
    let sandbox = stockade::auto(&program)?;

    // The default policy: no network, no host environment, read-only system directories, an
    // in-memory /tmp, 256 MiB, 10 s of CPU time, 30 s from start to end, 64 processes.
    let mut policy = Policy::default();
    accept_approximations(&mut policy, &*sandbox);

    let report = sandbox.run(&policy, &program)?;
    print!("it printed: {}", String::from_utf8_lossy(&report.stdout));
    println!("verdict: {:?}", report.verdict);
    println!(
        "used: {} ms wall, {} ms CPU, {:.1} MiB at most",
        report.usage.wall_ns / 1_000_000,
        report.usage.cpu_ns() / 1_000_000,
        report.usage.peak_memory as f64 / f64::from(1 << 20),
    );
    assert!(report.verdict.success());
    Ok(())
}
