//! The compiler of seccomp filters against the rules read one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| stockade_seccomp::any_table_compiles(data));
