//! The formatting of the warden's image, which `cargo fmt` does not reach.

use super::Finding;
use crate::lint::IMAGE;
use crate::{Outcome, command};
use std::path::Path;
use std::process::Command;

/// Runs rustfmt over the image and the modules it names.
pub(super) fn check(root: &Path) -> Outcome<Vec<Finding>> {
    if !root.join(IMAGE).is_file() {
        return Ok(Vec::new());
    }
    Ok(check_file(root, IMAGE))
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
