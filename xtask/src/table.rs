//! `cargo xtask table`: writes the tables that are committed, so that a change is seen in review.
//!
//! Those of behaviours and attacks are in the manual, the answers to system calls beside the tests
//! that ask a kernel. Tests know the tables and compare them, so the same tests write.

use crate::{Outcome, command};

/// Has the tests write the tables.
pub(crate) fn run() -> Outcome {
    // The whole workspace, so that nothing is built with other features than for its tests.
    let arguments = ["test", "--quiet", "--locked", "--workspace", "table"];
    command::run(command::cargo(&arguments).env("STOCKADE_WRITE_TABLE", "1"))
}
