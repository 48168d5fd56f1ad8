//! `cargo xtask cross`: type-checks the native crates for aarch64.
//!
//! The check needs a standard library for that target. Where rustup has none, Debian's packages
//! serve: a whole compiler of one version, so that the libraries of both targets fit it, unpacked
//! below `target/` and never installed.

mod debian;
#[cfg(test)]
mod tests;

use crate::workspace::Metadata;
use crate::{Outcome, command, lint};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The crates with code that depends on the processor, and the facade over them. The WebAssembly
/// backend is left out: its dependencies want a C compiler for the target.
const NATIVE: [&str; 6] = [
    "stockade-core",
    "stockade-seccomp",
    "stockade-warden",
    "stockade-attacks",
    "stockade-namespace",
    "stockade",
];
const FEATURES: [&str; 3] =
    ["--no-default-features", "--features", "stockade/embed,stockade/namespace"];

/// Checks the native crates, or says why it cannot.
pub(crate) fn run() -> Outcome {
    let metadata = Metadata::load()?;
    let mut check = command::cargo(&["check", "--locked", "--target", TARGET]);
    check.args(FEATURES);
    for name in NATIVE.iter().filter(|name| metadata.has(name)) {
        check.args(["-p", name]);
    }
    let sysroot = lint::sysroot()?;
    if !sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        let folder = metadata.target_directory.join("cross");
        match debian::compiler(&folder, &sysroot) {
            Ok(rustc) => {
                check.env("RUSTC", rustc).env("CARGO_TARGET_DIR", folder.join("build"));
            }
            Err(reason) => {
                println!("SKIP: cross: {reason}; run: rustup target add {TARGET}");
                println!("0 checked, 1 skipped");
                return Ok(());
            }
        }
    }
    command::run(&mut check)?;
    println!("1 checked, 0 skipped");
    Ok(())
}
