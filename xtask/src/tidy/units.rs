//! A binding is built from what the workspace has built.
//!
//! Cargo compiles a crate once for each set of features that it is wanted with. If a binding by itself
//! wants another set than the workspace does, of whatever crate, all that depends on it is compiled
//! anew, and the engine for modules takes minutes.

use super::Finding;
use crate::{Outcome, command};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The members that are built by themselves.
const BINDINGS: [(&str, &str); 2] =
    [("stockade-c", "bindings/c/Cargo.toml"), ("stockade-python", "bindings/python/Cargo.toml")];
/// As the tests build it.
const WORKSPACE: [&str; 5] = ["--workspace", "--lib", "--bins", "--tests", "--examples"];

/// What cargo would do, as far as it is read here.
#[derive(Deserialize)]
pub(super) struct Graph {
    units: Vec<Unit>,
}

/// One crate to be compiled, one way.
#[derive(Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    pkg_id: String,
    target: Target,
    mode: String,
    features: BTreeSet<String>,
}

#[derive(Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Asks cargo, which compiles nothing for it.
pub(super) fn check() -> Outcome<Vec<Finding>> {
    let workspace = graph(&WORKSPACE)?;
    let mut findings = Vec::new();
    for (member, manifest) in BINDINGS {
        findings.extend(compare(manifest, &graph(&["--package", member])?, &workspace));
    }
    Ok(findings)
}

/// What a member wants built that the workspace does not.
pub(super) fn compare(manifest: &str, member: &Graph, workspace: &Graph) -> Vec<Finding> {
    let there: BTreeSet<&Unit> = workspace.units.iter().collect();
    let missing = member.units.iter().filter(|unit| !there.contains(unit));
    let finding = |unit: &Unit| {
        let mut others = workspace.units.iter().filter(|other| {
            (&other.pkg_id, &other.target, &other.mode) == (&unit.pkg_id, &unit.target, &unit.mode)
        });
        let wanted = others.next().map(|other| other.features.symmetric_difference(&unit.features));
        let wanted: Vec<&str> = wanted.into_iter().flatten().map(String::as_str).collect();
        let text = format!(
            "builds `{}` otherwise than the workspace does: features {}",
            unit.target.name,
            wanted.join(", ")
        );
        Finding::error(manifest, text)
    };
    missing.map(finding).collect()
}

fn graph(what: &[&str]) -> Outcome<Graph> {
    let mut cargo = command::cargo(&["build", "--locked"]);
    cargo.args(what).args(["--unit-graph", "-Z", "unstable-options"]);
    // The one way to ask for it; nothing is compiled.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    let text = command::read(&mut cargo)?;
    serde_json::from_str(&text).map_err(|error| format!("cargo's units: {error}"))
}
