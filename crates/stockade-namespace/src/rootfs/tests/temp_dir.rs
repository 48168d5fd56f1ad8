use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use stockade_core::Base;

/// A directory of its own that goes away with the value.
pub(crate) struct TempDir(pub(crate) PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("stockade-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a fresh directory");
        Self(path.canonicalize().expect("it exists"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        fs::create_dir_all(self.path(name)).expect("a directory");
        self.path(name)
    }

    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
        fs::write(&path, contents).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner");
        path
    }

    pub(crate) fn link(&self, name: &str, to: impl AsRef<Path>) -> PathBuf {
        symlink(to, self.path(name)).expect("a link");
        self.path(name)
    }

    /// A rootfs with what every rootfs must have.
    pub(crate) fn tree() -> Self {
        let temp = Self::new();
        for name in ["dev", "proc", "tmp", "etc"] {
            temp.dir(name);
        }
        temp.file("etc/passwd", "inside", 0o644);
        temp
    }

    pub(crate) fn base(&self) -> Base {
        Base::Rootfs(self.0.clone())
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
