//! The page of HTML.

use crate::Results;

/// The results as a page of HTML.
pub fn page(results: &Results) -> String {
    format!("<title>{}</title>", results.command)
}
