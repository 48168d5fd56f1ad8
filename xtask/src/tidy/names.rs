//! Names that say what is inside.

use super::Finding;
use super::source::Source;
use crate::workspace::Metadata;
use std::path::Path;

/// Names for a drawer, not for a noun.
const DRAWERS: [&str; 7] = ["common", "helper", "helpers", "misc", "shared", "util", "utils"];

/// No file and no folder of sources is a drawer.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let parts = source.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let drawers = parts.filter(|stem| DRAWERS.contains(stem));
    drawers
        .map(|stem| Finding::error(&source.path, format!("`{stem}` names no noun of this project")))
        .collect()
}

/// Under `crates/` the folder is named as the package; elsewhere the prefix may be left out.
pub(super) fn check_folders(metadata: &Metadata, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().unwrap_or(root);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let exempt = !folder.starts_with(root.join("crates"))
            && package.name.strip_prefix("stockade-") == Some(&*name);
        if package.name != name && !exempt {
            let text = format!("the folder `{name}` holds the package `{}`", package.name);
            findings.push(Finding::error(package.manifest_path.to_string_lossy(), text));
        }
    }
    findings
}
