//! Debian's kernel for virtual machines, from its package.

use super::debian;
use crate::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

/// The package that names the current one.
const LATEST: &str = "linux-image-cloud-amd64";

/// What is a module there, and needed: nothing else is loaded.
const OVERLAY: &str = "kernel/fs/overlayfs/overlay.ko";

/// Gives the paths of the kernel and of its module for overlays, unpacked below `folder` unless they are
/// there.
///
/// # Errors
/// Where this is not Debian, or the package cannot be had.
pub(super) fn image(folder: &Path) -> Outcome<(PathBuf, PathBuf)> {
    let root = folder.join("kernel");
    if let Some(found) = find(&root) {
        return Ok(found);
    }
    debian::unpack(&root, &[LATEST], |depends, _| debian::named(depends, "linux-image-"))?;
    find(&root).ok_or(format!("the package of {LATEST} holds no kernel, or no overlays"))
}

fn find(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut entries = fs::read_dir(root.join("boot")).ok()?.flatten();
    entries.find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let version = name.strip_prefix("vmlinuz-")?;
        let overlay = root.join("lib/modules").join(version).join(OVERLAY);
        overlay.is_file().then(|| (entry.path(), overlay))
    })
}
