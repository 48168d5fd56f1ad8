//! The formatting of the static programs, which `cargo fmt` does not reach.

use super::Finding;
use crate::command;
use crate::lint::{BARE, IMAGES};
use std::path::Path;
use std::process::Command;

/// Runs rustfmt over the roots and the modules they name.
pub(super) fn check(root: &Path) -> Vec<Finding> {
    IMAGES.iter().chain([&BARE]).flat_map(|file| check_file(root, file)).collect()
}

/// Whether rustfmt would leave a file, relative to the root, as it is.
pub(super) fn check_file(root: &Path, file: &str) -> Vec<Finding> {
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config-path"]).arg(root).args(["--check", file]);
    rustfmt.current_dir(root);
    if command::succeeds(&mut rustfmt) {
        return Vec::new();
    }
    let text = format!("not formatted; run: rustfmt --edition 2024 {file}");
    vec![Finding::error(file, text)]
}
