//! The header of the C binding says what its sources say.

use super::Finding;
use crate::Outcome;
use crate::header::{self, HEADER};
use std::fs;
use std::path::Path;

/// Generates the header anew and compares it with the committed one.
pub(super) fn check(root: &Path) -> Outcome<Vec<Finding>> {
    let committed = fs::read_to_string(root.join(HEADER)).unwrap_or_default();
    Ok(compare(&committed, &header::generate(root)?))
}

/// The first line that differs.
pub(super) fn compare(committed: &str, generated: &str) -> Vec<Finding> {
    let (mut old, mut new) = (committed.split('\n'), generated.split('\n'));
    for number in 1_usize.. {
        let (old, new) = (old.next(), new.next());
        if old == new {
            if old.is_none() {
                break;
            }
            continue;
        }
        let text =
            format!("is {}, should be {}; run: cargo xtask header", quoted(old), quoted(new));
        return vec![Finding::error(format!("{HEADER}:{number}"), text)];
    }
    Vec::new()
}

fn quoted(line: Option<&str>) -> String {
    line.map_or_else(|| "at its end".to_owned(), |line| format!("`{line}`"))
}
