//! `cargo xtask table`: writes the tables of the manual that follow from lists.
//!
//! A test knows each table and compares it with the manual's, so the same test writes.

use crate::{Outcome, command};

/// Has the tests write the tables.
pub(crate) fn run() -> Outcome {
    // The whole workspace, because a crate of its own would have its dependencies compiled once more.
    let arguments = ["test", "--quiet", "--locked", "--workspace", "the_table_of_"];
    command::run(command::cargo(&arguments).env("STOCKADE_WRITE_TABLE", "1"))
}
