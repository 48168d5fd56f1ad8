//! How do I run a WebAssembly module, and count what it executes?
//!
//! Prints:
//!
//! ```text
//! wasm: hello from a module
//! exited 0: 14 fuel, 65536 bytes
//! wasm: hello from a module
//! stopped by fuel: 1000000
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use stockade::{Policy, Program, Verdict};

/// Prints one line, and then loops for ever if it is given an argument. Written as text here; a
/// compiler for `wasm32-wasip1` makes the same kind of module.
const MODULE: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\14\00\00\00")
  (data (i32.const 16) "hello from a module\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $args_sizes (i32.const 64) (i32.const 68)))
    (if (i32.gt_u (i32.load (i32.const 64)) (i32.const 1))
      (then (loop $again (br $again))))))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let module = Program::module(wat::parse_str(MODULE)?);
    let sandbox = stockade::auto(&module)?; // the backend for modules
    let mut policy = Policy::default();
    policy.limits.fuel = Some(1_000_000);

    for program in [module.clone(), module.arg("forever")] {
        // Compiled once: the second time it is found by its bytes.
        let report = sandbox.run(&policy, &program)?;
        print!("{}: {}", report.backend, String::from_utf8_lossy(&report.stdout));
        let fuel = report.usage.fuel.ok_or("fuel was asked for")?;
        let memory = report.usage.peak_memory;
        match report.verdict {
            Verdict::Exited { code } => println!("exited {code}: {fuel} fuel, {memory} bytes"),
            Verdict::Limit { control, limit, .. } => println!("stopped by {control}: {limit}"),
            verdict => return Err(format!("not expected: {verdict:?}").into()),
        }
    }
    Ok(())
}
