//! Configs of containers: any text is a bundle or an error that names something, for sandboxes and for the
//! container runtime; and a bundle's policy is valid.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stockade_oci::bundle::{Bundle, runtime};

/// A bundle to hold every config against: a root with a program and a module in it.
static BUNDLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("stockade-fuzz-bundle-{}", std::process::id()));
    let root = path.join("rootfs");
    fs::create_dir_all(root.join("bin")).expect("a root");
    fs::write(root.join("bin/sh"), "").expect("a program");
    fs::write(root.join("a.wasm"), b"\0asm\x01\0\0\0").expect("a module");
    path
});

fuzz_target!(|text: &str| {
    if let Err(error) = runtime::check(text) {
        let _ = (error.to_string(), error.hint());
    }
    match Bundle::from_config(text, &BUNDLE) {
        Ok(bundle) => assert_eq!(bundle.policy.validate(), Ok(()), "what is read is valid"),
        Err(error) => {
            let _ = (error.to_string(), error.hint());
        }
    }
});
