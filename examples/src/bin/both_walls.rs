//! How do I run the same job behind either wall?
//!
//! Prints, with the mechanisms of this host:
//!
//! ```text
//! namespace: Exited { code: 0 } printed "the same job\n"; memory: cgroup v1 memory.limit_in_bytes
//! wasm: Exited { code: 0 } printed "the same job\n"; memory: bytes of memories and tables counted;
//! pool of 12000 slots, 1000 with fuel
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use stockade::{Control, Mount, NamespaceSandbox, Policy, Program, Sandbox, WasmSandbox};
use stockade_examples::accept_approximations;
use stockade_guests::CAT;

/// Prints a file that is given to it, on one line per wall.
fn job(sandbox: &dyn Sandbox, program: &Program, policy: &Policy) -> stockade::Result<()> {
    let mut policy = policy.clone();
    policy.filesystem.mounts.push(Mount::file("/data/note", "the same job\n"));
    policy.limits.memory = stockade::Bytes(32 << 20).into();
    accept_approximations(&mut policy, sandbox);
    let report = sandbox.run(&policy, &program.clone().arg("/data/note"))?;
    let memory = report.enforcement.iter().find(|entry| entry.control == Control::Memory);
    println!(
        "{}: {:?} printed {:?}; memory: {}",
        report.backend,
        report.verdict,
        String::from_utf8_lossy(&report.stdout),
        memory.and_then(|entry| entry.mechanism.as_deref()).unwrap_or("not limited"),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One C source, compiled for Linux and for WASI.
    let mut policy = Policy::default();
    policy.filesystem.mounts.push(Mount::file("/guest", CAT.image));
    job(&NamespaceSandbox::new()?, &Program::executable("/guest"), &policy)?;

    let module = CAT.module.ok_or("the guests were built without WebAssembly")?;
    job(&WasmSandbox::new()?, &Program::module(module), &Policy::default())?;
    Ok(())
}
