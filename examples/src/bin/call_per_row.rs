//! How do I run a user's function over every row of a table?
//!
//! Prints:
//!
//! ```text
//! 100000 numbers: sum 3333233291000
//! 3 texts: ["EDATS", "KCO", ""]
//! a bad row ends with: integer divide by zero
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use stockade::wasm::{Imports, Outcome};
use stockade::{Policy, Program, Verdict, WasmSandbox};

/// Two functions of a user's: one from a number to a number, one from bytes to bytes, by the
/// convention that `stockade::wasm::Library` describes.
const FUNCTIONS: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "stockade_alloc") (param $len i32) (result i32) (i32.const 4096))
  (func (export "score") (param $row i64) (result i64)
    (i64.div_s (i64.mul (local.get $row) (i64.sub (local.get $row) (i64.const 1))) (i64.const 100)))
  (func (export "ratio") (param $row i64) (result i64) (i64.div_s (i64.const 100) (local.get $row)))
  (func (export "shout_backwards") (param $at i32) (param $len i32) (result i64)
    (local $i i32) (local $byte i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $len)))
      (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (i32.store8
        (i32.sub (i32.add (i32.const 8192) (local.get $len)) (local.get $i))
        (i32.and (local.get $byte) (i32.const 0xdf)))
      (br $next)))
    (i64.or (i64.shl (i64.const 8192) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = WasmSandbox::new()?;
    let functions = Program::module(wat::parse_str(FUNCTIONS)?);
    let functions = sandbox.library(&Policy::default(), &functions, &Imports::new())?;

    // One instance for all rows: its memory is kept, its limits count anew for every call.
    let mut instance = functions.instantiate()?;
    let score = functions.function::<i64, i64>("score")?;
    let mut sum = 0;
    for row in 0..100_000 {
        sum += instance.call(&score, row)?.returned().ok_or("the function failed")?;
    }
    println!("100000 numbers: sum {sum}");

    let shout = functions.bytes_function("shout_backwards")?;
    let mut texts = Vec::new();
    for row in ["stade", "ock", ""] {
        let bytes = instance.call_bytes(&shout, row.as_bytes())?.returned();
        texts.push(String::from_utf8(bytes.ok_or("the function failed")?)?);
    }
    println!("{} texts: {texts:?}", texts.len());

    let ratio = functions.function::<i64, i64>("ratio")?;
    if let Outcome::Ended(Verdict::Trapped { trap, .. }) = instance.call(&ratio, 0)? {
        println!("a bad row ends with: {trap}");
    }
    Ok(())
}
