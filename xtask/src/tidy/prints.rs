//! Libraries never print.

use super::source::Source;
use super::{Finding, code};

/// Crates that are programs, or run only in tests.
const PRINTERS: [&str; 3] =
    ["crates/stockade-cli/", "crates/stockade-guests/", "crates/stockade-conformance/"];

const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// No printing macro in a library, outside its tests and its build script.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let library = source.path.starts_with("crates/")
        && !PRINTERS.iter().any(|folder| source.path.starts_with(folder))
        && !source.path.ends_with("/build.rs")
        && !source.is_test();
    if !library {
        return Vec::new();
    }
    let found = MACROS.iter().flat_map(|name| {
        code::macros(&source.code, name)
            .map(move |at| Finding::error(source.place(at), format!("`{name}!` in a library")))
    });
    found.collect()
}
