//! Files and functions that fit into a reader's head.

use super::source::Source;
use super::{Finding, code};
use crate::header::HEADER;

const FILE_GOAL: usize = 400;
const FILE_LIMIT: usize = 800;
const FUNCTION_GOAL: usize = 60;

/// A file above the goal is a warning, above the limit an error.
pub(super) fn check_file(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    // The header is one page for those who look something up in it.
    if lines <= FILE_GOAL || source.path == HEADER {
        return Vec::new();
    }
    let text = format!("{lines} lines; at most {FILE_GOAL} are wanted");
    let place = source.path.as_str();
    let long = lines > FILE_LIMIT;
    vec![if long { Finding::error(place, text) } else { Finding::warning(place, text) }]
}

/// A function above the goal is a warning.
pub(super) fn check_functions(source: &Source) -> Vec<Finding> {
    let long = code::words(&source.code, "fn").filter_map(|at| {
        let lines = source.code[at..at + length(&source.code[at..])?].lines().count();
        let text = format!("a function of {lines} lines; at most {FUNCTION_GOAL} are wanted");
        (lines > FUNCTION_GOAL).then(|| Finding::warning(source.place(at), text))
    });
    long.collect()
}

/// The length of the item that starts with `fn`, if it has a body.
fn length(code: &str) -> Option<usize> {
    let (mut nested, mut braces) = (0_u32, 0_u32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested = nested.saturating_sub(1),
            '{' => braces += 1,
            // A closing brace without an opening one ends whatever `fn` type stood inside.
            '}' if braces == 0 => return None,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            // Declarations and `fn` types end here; the `;` of an array type is nested.
            ';' if braces == 0 && nested == 0 => return None,
            _ => {}
        }
    }
    None
}
