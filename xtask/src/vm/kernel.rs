//! Debian's kernel for virtual machines, from its package.

use super::debian;
use crate::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

/// The package that names the current one.
const LATEST: &str = "linux-image-cloud-amd64";

/// Gives the path of the kernel, unpacked below `folder` unless it is there.
///
/// # Errors
/// Where this is not Debian, or the package cannot be had.
pub(super) fn image(folder: &Path) -> Outcome<PathBuf> {
    let root = folder.join("kernel");
    if let Some(image) = find(&root) {
        return Ok(image);
    }
    debian::unpack(&root, &[LATEST], |depends, _| debian::named(depends, "linux-image-"))?;
    find(&root).ok_or(format!("the package of {LATEST} holds no kernel"))
}

fn find(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root.join("boot")).ok()?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|file| {
        file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"vmlinuz-"))
    })
}
