//! `cargo xtask miri`: the unit tests of what does no I/O, interpreted.

use super::{has, nightly};
use crate::workspace::Metadata;
use crate::{Outcome, command};

/// `stockade-core` whole, and the language that host and warden speak, both ways.
const CRATES: [&str; 2] = ["stockade-core", "stockade-warden"];

/// Runs the tests under Miri, or says why it cannot.
pub(crate) fn run() -> Outcome {
    let target = Metadata::load()?.target_directory.join("miri");
    if !has("cargo") || !has("miri") {
        println!(
            "SKIP: miri: not installed; run: rustup component add --toolchain nightly miri rust-src"
        );
        println!("0 checked, {} skipped", CRATES.len());
        return Ok(());
    }
    for name in CRATES {
        let arguments = ["miri", "test", "--locked", "--quiet", "--lib", "-p", name];
        let mut tests = nightly("cargo".as_ref(), &arguments);
        // proptest asks for the working directory and the time, and generates a few cases only: an
        // interpreter is a few hundred times slower.
        tests.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "4");
        command::run(tests.env("CARGO_TARGET_DIR", &target))?;
    }
    println!("{} checked, 0 skipped", CRATES.len());
    Ok(())
}
