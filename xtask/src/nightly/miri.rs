//! `cargo xtask miri`: the unit tests of what does no I/O, interpreted.

use super::{has, nightly};
use crate::workspace::Metadata;
use crate::{Outcome, command};

/// `stockade-core` whole, and the language that host and warden speak, both ways; with the number of
/// cases that each property is tried with. An interpreter is a few hundred times slower, and parses
/// the patterns from which `stockade-core` makes up its texts anew in every case.
const CRATES: [(&str, u32); 2] = [("stockade-core", 1), ("stockade-warden", 16)];

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
    for (name, cases) in CRATES {
        let arguments = ["miri", "test", "--locked", "--quiet", "--lib", "-p", name];
        let mut tests = nightly("cargo".as_ref(), &arguments);
        // proptest asks for the working directory and the time. What it finds in the environment is
        // set here, since cargo-miri keeps the environment of the first build.
        let cases = format!("-Zmiri-env-set=PROPTEST_CASES={cases}");
        tests.env("MIRIFLAGS", format!("-Zmiri-disable-isolation {cases}"));
        command::run(tests.env("CARGO_TARGET_DIR", &target))?;
    }
    println!("{} checked, 0 skipped", CRATES.len());
    Ok(())
}
