//! Modules nobody trusts, up to the point where they would run: reading, checking, compiling within a
//! time, linking.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stockade_core::{ErrorKind, Policy, Program, Sandbox};
use stockade_wasm::WasmSandbox;

static SANDBOX: LazyLock<WasmSandbox> = LazyLock::new(|| {
    let builder = WasmSandbox::builder().compile_time(Duration::from_secs(2));
    builder.build().expect("the engine can be made")
});

fuzz_target!(|data: &[u8]| {
    let program = Program::module(data.to_vec());
    if let Err(error) = SANDBOX.prepare(&Policy::default(), &program) {
        // A time that ran out is `Setup`; anything else is the module's own fault.
        let fault = matches!(
            error.kind(),
            ErrorKind::InvalidPolicy | ErrorKind::Unsupported | ErrorKind::Setup
        );
        assert!(fault, "{error:?}");
        let _ = (error.to_string(), error.hint());
    }
});
