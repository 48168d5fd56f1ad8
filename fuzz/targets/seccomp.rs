//! The compiler of seccomp filters against the rules read one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The crate itself would bring the warden along; the filters are pure and stand alone.
#[path = "../../crates/stockade-namespace/src/seccomp/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "what the crate uses and this target does not")]
mod seccomp;

fuzz_target!(|data: &[u8]| seccomp::any_table_compiles(data));
