//! `cargo xtask tidy`: the laws of the workspace, as code.

mod code;
mod edges;
mod format;
mod headers;
mod lengths;
mod names;
mod prints;
mod proofs;
mod skips;
mod source;
#[cfg(test)]
mod tests;
mod units;
mod unsafe_island;

use crate::Outcome;
use crate::workspace::{self, Metadata};
use source::Source;

/// One place where a law is broken, or is about to be.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// `path`, or `path:line`.
    place: String,
    text: String,
    severity: Severity,
}

#[derive(Debug, PartialEq, Eq)]
enum Severity {
    /// Fails the run.
    Error,
    /// Is shown only.
    Warning,
}

impl Finding {
    fn error(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into(), severity: Severity::Error }
    }

    fn warning(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into(), severity: Severity::Warning }
    }
}

/// Checks every law over every source file and every edge between members.
pub(crate) fn run() -> Outcome {
    let root = workspace::root();
    let metadata = Metadata::load()?;
    let sources = source::all(root).map_err(|error| format!("reading the sources: {error}"))?;

    let mut findings = edges::check(&metadata);
    findings.extend(names::check_folders(&metadata, root));
    findings.extend(sources.iter().flat_map(check));
    findings.extend(format::check(root));
    findings.extend(units::check()?);
    findings.extend(headers::check(root)?);
    let page = std::fs::read_to_string(root.join(proofs::PAGE))
        .map_err(|error| format!("{}: {error}", proofs::PAGE))?;
    findings.extend(proofs::check(&page, &sources));

    let mut errors = 0;
    for finding in &findings {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        errors += usize::from(finding.severity == Severity::Error);
        println!("{word}: {}: {}", finding.place, finding.text);
    }
    println!(
        "tidy: {} files, {errors} errors, {} warnings",
        sources.len(),
        findings.len() - errors
    );
    if errors == 0 { Ok(()) } else { Err(format!("tidy found {errors} errors")) }
}

/// The laws that need to see one file only.
fn check(source: &Source) -> Vec<Finding> {
    let laws = [
        names::check,
        lengths::check_file,
        lengths::check_functions,
        unsafe_island::check,
        skips::check,
        prints::check,
    ];
    laws.iter().flat_map(|law| law(source)).collect()
}
