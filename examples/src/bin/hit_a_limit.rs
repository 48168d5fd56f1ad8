//! How do I bound a program, and learn which limit it hit?
//!
//! Prints (as root; without cgroups the memory entry is `approximated`):
//!
//! ```text
//! memory limit hit: 67108864 of 67108864 bytes
//! memory: enforced by cgroup v1 memory.limit_in_bytes
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::time::Duration;

use stockade::{Control, Policy, Program, Verdict};
use stockade_examples::accept_approximations;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let greedy = "held = []\nwhile True: held.append(bytearray(1 << 20))";
    let program = Program::executable("python3").args(["-c", greedy]);
    let sandbox = stockade::auto(&program)?;

    let mut policy = Policy::default();
    policy.limits.memory = "64MiB".parse()?;
    policy.limits.cpu_time = Duration::from_secs(2).into();
    policy.limits.wall_time = Duration::from_secs(5).into();
    accept_approximations(&mut policy, &*sandbox);

    let report = sandbox.run(&policy, &program)?;
    match report.verdict {
        Verdict::Limit { control: Control::Memory, limit, observed } => {
            println!("memory limit hit: {observed} of {limit} bytes");
        }
        Verdict::Limit { control, .. } => return Err(format!("another limit: {control}").into()),
        verdict => return Err(format!("no limit was hit: {verdict:?}").into()),
    }

    // The receipt: what was read back from the kernel about this limit.
    let entry = report.enforcement.iter().find(|entry| entry.control == Control::Memory);
    let entry = entry.ok_or("the receipt names every control that was asked for")?;
    let mechanism = entry.mechanism.as_deref().unwrap_or("nothing");
    println!("{}: {} by {mechanism}", entry.control, entry.status);
    Ok(())
}
