//! `cargo xtask demo`: the demonstration, which itself uses only the public Rust API.

use crate::{Outcome, command, setup};

/// Checks the machine, then builds and runs the demonstration.
pub(crate) fn run() -> Outcome {
    setup::run()?;
    let arguments =
        ["run", "--quiet", "--release", "--locked", "-p", "stockade-examples", "--bin", "demo"];
    command::run(&mut command::cargo(&arguments))
}
