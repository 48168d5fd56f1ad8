//! The `stockade` command as users meet it: exit status, output, report.
//!
//! `STOCKADE_TEST_BIN` names another binary to test, such as one that another user may execute.

mod attack;
mod bench;
mod bundle;
mod command;
mod doctor;
mod image;
mod isolation;
mod limits;
mod map;
mod misuse;
mod policy_files;
mod runtime;
mod streams;
mod wasm;
