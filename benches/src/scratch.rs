//! [`Scratch`]: files of a benchmark's own, which go with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that nobody else can enter, removed with this value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one, in a directory that exists.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: &Path) -> io::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("stockade-benches-{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path.canonicalize()?))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A directory in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.file(name);
        DirBuilder::new().mode(0o755).recursive(true).create(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever looks there sees what could not be removed.
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_goes_with_it() {
        let scratch = Scratch::new(&std::env::temp_dir()).expect("a directory");
        let path = scratch.path().to_owned();
        let inside = scratch.directory("a/b").expect("a directory");
        fs::write(inside.join("file"), "text").expect("a file");
        assert!(path.join("a/b/file").exists());
        drop(scratch);
        assert!(!path.exists());
    }
}
