//! Bytes that nobody wrote.

use proptest::prelude::*;
use stockade_core::{Policy, Program, Sandbox};

use crate::SANDBOX;
use crate::guests::HELLO;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_end_in_an_error_or_a_report(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let with_magic = [b"\0asm\x01\0\0\0".as_slice(), &bytes].concat();
        let _ = SANDBOX.run(&Policy::default(), &Program::module(bytes));
        let _ = SANDBOX.run(&Policy::default(), &Program::module(with_magic));
    }

    #[test]
    fn a_module_with_a_changed_byte_ends_in_an_error_or_a_report(at in 0usize..150, to: u8) {
        let mut bytes = wat::parse_str(HELLO).expect("the guest is well written");
        let at = at % bytes.len();
        bytes[at] = to;
        let mut policy = Policy::default();
        policy.limits.wall_time = std::time::Duration::from_millis(200).into();
        let _ = SANDBOX.run(&policy, &Program::module(bytes));
    }
}
