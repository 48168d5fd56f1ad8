//! [`Scratch`]: files of the benchmark's own, which go with it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::WORK;

/// A directory that nobody else can enter, removed with this value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let scratch = Self(path.canonicalize()?);
        scratch.program("work", WORK)?;
        Ok(scratch)
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The static program, as a file.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// A directory in it.
    pub(crate) fn dir(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        DirBuilder::new().mode(0o700).recursive(true).create(&path)?;
        Ok(path)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> io::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, contents)?;
        Ok(path)
    }

    fn program(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o755).open(self.path(name));
        io::Write::write_all(&mut file?, contents)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is mounted below it: what mounts there does so in a namespace of its own.
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

/// The first program of this name that a shell would find.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|dir| dir.join(name));
    all.find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
