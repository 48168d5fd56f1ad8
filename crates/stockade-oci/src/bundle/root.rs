//! The bundle's directory, its root, and what paths in its config lead to.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use stockade_core::Base;

use super::Options;
use super::error::BundleError;
use super::json;
use super::walk::Findings;

/// Links followed in one path; the kernel's own bound (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A directory, by its absolute path without links.
pub(super) struct Inside(PathBuf);

impl Inside {
    pub(super) fn new(dir: &Path) -> Result<Self, BundleError> {
        let read = |source| BundleError::Read { path: dir.to_owned(), source };
        fs::canonicalize(dir).map(Self).map_err(read)
    }

    /// The host's path that a path of the config means. A relative one begins at the bundle and stays in
    /// it.
    pub(super) fn source(&self, path: &str, text: &str) -> Result<PathBuf, BundleError> {
        if text.contains('\0') {
            return Err(BundleError::value(path, text, "a path without NUL"));
        }
        let asked = Path::new(text);
        if asked.components().any(|part| part == Component::ParentDir) {
            return Err(BundleError::value(path, text, "a path without `..`"));
        }
        if asked.is_absolute() {
            return Ok(asked.to_owned());
        }
        let joined = self.0.join(asked);
        match fs::canonicalize(&joined) {
            Ok(canonical) if canonical.starts_with(&self.0) => Ok(canonical),
            Ok(_) => {
                let (path, asked) = (path.to_owned(), text.to_owned());
                Err(BundleError::Outside { path, asked, within: "the bundle" })
            }
            // What does not exist, the backend will name.
            Err(error) if is_missing(&error) => Ok(joined),
            Err(source) => Err(BundleError::Read { path: joined, source }),
        }
    }
}

/// The base that `root` asks for.
pub(super) fn read(
    config: &Value,
    bundle: &Inside,
    options: &Options,
    found: &mut Findings,
) -> Result<(PathBuf, Base), BundleError> {
    let Some(text) = json::text(config, "root.path") else {
        return Err(BundleError::Missing { path: "root.path".to_owned() });
    };
    let source = bundle.source("root.path", text)?;
    let path = "root.path";
    let root = match fs::canonicalize(&source) {
        Ok(root) => root,
        Err(error) if is_missing(&error) => {
            return Err(BundleError::NotThere { path, target: source });
        }
        Err(error) => return Err(BundleError::Read { path: source, source: error }),
    };
    if !root.is_dir() {
        return Err(BundleError::Kind { path, target: source, wanted: "a directory" });
    }
    if json::at(config, "root.readonly") == &Value::Bool(true) {
        return Ok((root.clone(), Base::Rootfs(root)));
    }
    if options.writable_root_is_ephemeral {
        found.harmless(
            "root.readonly",
            "as the caller allows, what is written to the root is in memory and gone with the run",
        );
    } else {
        found.refuse(
            "root.readonly",
            "what is written to a root does not stay; see `writable_root_is_ephemeral`",
        );
    }
    Ok((root.clone(), Base::WritableRootfs(root)))
}

/// The host's path of a module that is named as a program of this root would be: links lead where they
/// would lead inside, and never out of it. `None` if there is no such file.
///
/// The name is looked up in `search` unless it has a `/`, and then from `cwd` on, as engines do that run
/// modules.
pub(super) fn module(
    root: &Path,
    name: &str,
    cwd: &str,
    search: &str,
) -> Result<Option<PathBuf>, BundleError> {
    let searched = search.split(':').filter(|dir| !name.contains('/') && dir.starts_with('/'));
    for dir in searched.chain([cwd]) {
        let inner = Path::new(dir).join(name);
        match resolve(root, &inner) {
            Ok(Some(path)) if path.is_file() => return Ok(Some(path)),
            Ok(_) => {}
            Err(source) => return Err(BundleError::Read { path: inner, source }),
        }
    }
    Ok(None)
}

/// What an absolute path inside leads to on the host.
fn resolve(root: &Path, inner: &Path) -> io::Result<Option<PathBuf>> {
    let parts = |path: &Path| -> Vec<PathBuf> {
        path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let mut todo = parts(inner);
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.components().next() {
            Some(Component::Normal(name)) => {
                let next = root.join(&at).join(name);
                match fs::symlink_metadata(&next) {
                    Ok(meta) if meta.is_symlink() => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(rustix::io::Errno::LOOP.into());
                        }
                        todo.extend(parts(&fs::read_link(&next)?));
                    }
                    Ok(_) => at.push(name),
                    Err(error) if is_missing(&error) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            Some(Component::ParentDir) => {
                at.pop();
            }
            Some(Component::RootDir) => at = PathBuf::new(),
            _ => {}
        }
    }
    Ok(Some(root.join(at)))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
