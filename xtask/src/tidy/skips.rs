//! No test is switched off and no code is left to be written.

use super::source::Source;
use super::{Finding, code};

/// Neither `#[ignore]` nor a macro that stands for missing code.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let ignored = code::words(&source.code, "ignore")
        .filter(|&at| is_attribute(&source.code, at))
        .map(|at| Finding::error(source.place(at), "an ignored test; print a SKIP line instead"));
    let stubs = ["todo", "unimplemented"].into_iter().flat_map(|name| {
        code::macros(&source.code, name).map(move |at| {
            Finding::error(source.place(at), format!("`{name}!` stands for nothing"))
        })
    });
    ignored.chain(stubs).collect()
}

/// Whether the word at `at` is an attribute of its own or one that `cfg_attr` adds.
fn is_attribute(code: &str, at: usize) -> bool {
    let Some(open) = code[..at].rfind("#[") else { return false };
    let between = &code[open + 2..at];
    !between.contains(']') && (between.trim().is_empty() || between.contains("cfg_attr"))
}
