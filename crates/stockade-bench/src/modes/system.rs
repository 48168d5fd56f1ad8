//! The host's system directories, which every tool shows its program in its own way.

use std::fs;
use std::path::{Path, PathBuf};

/// What may stand at `/` and holds programs and libraries.
const NAMES: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// One of them.
pub(super) enum Entry {
    /// A link into `/usr`.
    Link(&'static str, PathBuf),
    /// A directory.
    Dir(&'static str),
}

/// Those of this host, `/usr` first.
pub(super) fn entries() -> Vec<Entry> {
    let other = NAMES.into_iter().filter_map(|name| match fs::read_link(name) {
        Ok(target) => Some(Entry::Link(name, target)),
        Err(_) => Path::new(name).is_dir().then_some(Entry::Dir(name)),
    });
    [Entry::Dir("/usr")].into_iter().chain(other).collect()
}
