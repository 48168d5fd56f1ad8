//! What `SECURITY.md` argues with: tests and attacks that are there.

use std::path::Path;

use super::source::Source;
use super::{Finding, code};

/// The page whose words are checked.
pub(super) const PAGE: &str = "SECURITY.md";

/// Each `file::test` in backticks is a test of such a file, and each `attack::NAME` an attack.
pub(super) fn check(page: &str, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in page.lines().enumerate() {
        for (file, name) in line.split('`').skip(1).step_by(2).filter_map(proof) {
            if !sources.iter().any(|source| holds(source, file, name)) {
                let text = format!("there is no test `{file}::{name}`");
                findings.push(Finding::error(format!("{PAGE}:{}", index + 1), text));
            }
        }
    }
    findings
}

/// The two names of a proof.
fn proof(word: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
    };
    word.split_once("::").filter(|(file, name)| is_name(file) && is_name(name))
}

/// A test stands in `file.rs`, or in `file/tests.rs`; an attack has a file of its own.
fn holds(source: &Source, file: &str, name: &str) -> bool {
    let path = Path::new(&source.path);
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let own = stem(path).unwrap_or_default();
    let above = path.parent().and_then(stem).unwrap_or_default();
    if file == "attack" {
        return above == "guests" && own == name;
    }
    let here = own == file || (own == "tests" && above == file);
    here && code::words(&source.code, name).any(|at| source.code[..at].ends_with("fn "))
}
