//! How do I host plugins that call back into my program?
//!
//! Prints:
//!
//! ```text
//! order 7: 3 x 250 = 750
//! order 8: 2 x 100 = 200
//! order 9: trapped: host function `shop.price` failed: there is no item 13
//! order 10: limit wall_time after 50 ms
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what happens by printing it")]

use std::time::Duration;

use stockade::wasm::{Imports, Outcome};
use stockade::{Policy, Program, Verdict, WasmSandbox};

/// A plugin that computes the price of an order, and hangs when nothing is ordered.
const PLUGIN: &str = r#"(module
  (import "shop" "price" (func $price (param i32) (result i64)))
  (func (export "total") (param $item i32) (param $count i32) (result i64)
    (if (i32.eqz (local.get $count)) (then (loop $forever (br $forever))))
    (i64.mul (call $price (local.get $item)) (i64.extend_i32_u (local.get $count)))))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let imports = Imports::new().function("shop", "price", |_call, item: u32| match item {
        // What a plugin passes is nothing to be trusted.
        1..=5 => Ok(250i64),
        6..=9 => Ok(100),
        _ => Err(format!("there is no item {item}").into()),
    });
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::from_millis(50).into(); // for each call

    let sandbox = WasmSandbox::new()?;
    let plugin = Program::module(wat::parse_str(PLUGIN)?);
    let plugin = sandbox.library(&policy, &plugin, &imports)?; // once per plugin
    let total = plugin.function::<(u32, u32), i64>("total")?;

    for (order, item, count) in [(7, 3, 3), (8, 6, 2), (9, 13, 1), (10, 1, 0)] {
        // A fresh instance: what one order does to its memory no other order sees.
        match plugin.instantiate()?.call(&total, (item, count))? {
            Outcome::Returned(sum) => {
                println!("order {order}: {count} x {} = {sum}", sum / i64::from(count));
            }
            Outcome::Ended(Verdict::Trapped { trap, .. }) => {
                println!("order {order}: trapped: {trap}");
            }
            Outcome::Ended(Verdict::Limit { control, limit, .. }) => {
                println!("order {order}: limit {control} after {} ms", limit / 1_000_000);
            }
            Outcome::Ended(verdict) => println!("order {order}: {verdict:?}"),
        }
    }
    Ok(())
}
