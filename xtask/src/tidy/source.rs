//! The files that the laws look at.

use super::code;
use std::path::Path;
use std::{fs, io};

/// The endings of the files that people write here.
const ENDINGS: [&str; 4] = ["rs", "py", "c", "h"];

/// One source file.
pub(super) struct Source {
    /// Relative to the workspace root.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments and literals blanked, line for line; empty for other languages.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code::blank(text) } else { String::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// `path:line` of a byte offset into `code`.
    pub(super) fn place(&self, offset: usize) -> String {
        let line = self.code[..offset].matches('\n').count() + 1;
        format!("{}:{line}", self.path)
    }

    /// Whether the file holds tests only.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Every source file below the root, sorted by path.
pub(super) fn all(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    walk(root, root, &mut sources)?;
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(sources)
}

fn walk(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" {
                walk(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known)) {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            sources.push(Source::new(&relative, &fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
