//! Who may import whom.
//!
//! The table is held against the manifests themselves (`cargo metadata`), because `cargo tree`
//! hides repeated edges.

use super::Finding;
use crate::workspace::{Dependency, Metadata};

/// What a member may name under `[dependencies]` and `[build-dependencies]`, and what it may
/// name under `[dev-dependencies]` besides.
struct Row {
    member: &'static str,
    may: &'static [&'static str],
    tests_may: &'static [&'static str],
}

const TABLE: [Row; 20] = [
    row("stockade-bare", &[], &[]),
    row("stockade-core", &[], &[]),
    row("stockade-warden", &["stockade-bare"], &[]),
    row("stockade-seccomp", &[], &[]),
    row("stockade-namespace", &["stockade-core", "stockade-seccomp", "stockade-warden"], SUITES),
    row("stockade-wasm", &["stockade-core"], SUITES),
    row("stockade-attacks", &["stockade-bare", "stockade-core"], &[]),
    row("stockade-bench", &["stockade-bare", "stockade-core"], &[]),
    row("stockade-oci", &["stockade-core"], &[]),
    row("stockade-runtime", &["stockade-core", "stockade-oci", "stockade-seccomp"], ATTACKS),
    row(
        "stockade",
        &[
            "stockade-attacks",
            "stockade-bench",
            "stockade-core",
            "stockade-namespace",
            "stockade-oci",
            "stockade-wasm",
        ],
        SUITES,
    ),
    row("stockade-cli", &["stockade"], GUESTS),
    row("stockade-python", &["stockade"], &[]),
    row("stockade-c", &["stockade"], &[]),
    row("stockade-examples", &["stockade", "stockade-guests"], &[]),
    row("stockade-benches", &["stockade", "stockade-guests"], &[]),
    row("stockade-endurance", &["stockade", "stockade-guests"], &[]),
    row("stockade-conformance", &["stockade", "stockade-guests"], &[]),
    row("stockade-guests", &[], &[]),
    row("xtask", &[], &[]),
];

const GUESTS: &[&str] = &["stockade-guests"];
const ATTACKS: &[&str] = &["stockade-attacks", "stockade-guests"];
const SUITES: &[&str] = &["stockade-guests", "stockade-conformance"];

const fn row(
    member: &'static str,
    may: &'static [&'static str],
    tests_may: &'static [&'static str],
) -> Row {
    Row { member, may, tests_may }
}

/// Every edge between members that the table does not allow, and every member without a row.
pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let Some(row) = TABLE.iter().find(|row| row.member == package.name) else {
            let text = format!("{} has no row in the table of allowed edges", package.name);
            findings.push(Finding::error("xtask/src/tidy/edges.rs", text));
            continue;
        };
        let edges = package.dependencies.iter().filter(|edge| metadata.has(&edge.name));
        for edge in edges.filter(|edge| !row.allows(edge)) {
            let kind = edge.kind.as_deref().unwrap_or("normal");
            let text = format!("{} must not import {} ({kind})", package.name, edge.name);
            findings.push(Finding::error(package.manifest_path.to_string_lossy(), text));
        }
    }
    findings
}

impl Row {
    fn allows(&self, edge: &Dependency) -> bool {
        let name = edge.name.as_str();
        let for_tests = edge.kind.as_deref() == Some("dev");
        self.may.contains(&name) || (for_tests && self.tests_may.contains(&name))
    }
}
