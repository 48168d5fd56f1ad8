//! `cargo xtask table`: writes the table of behaviours into the manual.
//!
//! The suite's own test knows the table and compares it with the manual's, so the same test writes.

use crate::{Outcome, command};

/// Has the test write the table.
pub(crate) fn run() -> Outcome {
    let arguments = ["test", "--quiet", "--locked", "-p", "stockade-conformance", "--lib"];
    command::run(command::cargo(&arguments).env("STOCKADE_WRITE_TABLE", "1"))
}
