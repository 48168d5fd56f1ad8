//! The directory of a store, and what stands in it.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use stockade_core::Result;

use super::index::Index;
use super::lock::Lock;
use super::workshop::Workshop;
use super::{Store, StoreError};

/// Where blobs are, by algorithm.
const BLOBS: [&str; 3] = ["blobs", "blobs/sha256", "blobs/sha512"];
/// Where root directories are.
pub(super) const ROOTS: &str = "roots";
/// Where everything is that is not finished.
pub(super) const TMP: &str = "tmp";
/// What the name of a file in there begins with that holds the first bytes of a blob.
pub(super) const PART: &str = "part-";
/// What makes it an image layout.
const LAYOUT: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
/// What lists its images.
pub(super) const INDEX: &str = "index.json";

/// Opens the directory, made if it is missing. From here on its path is only shown, or mounted.
pub(super) fn open(path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let failed = |source: io::Error| StoreError::Io {
        doing: "open the directory",
        path: path.to_owned(),
        source,
    };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                StoreError::NotADirectory { path: path.to_owned() }
            }
            _ => failed(error),
        }
    })?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => StoreError::NotADirectory { path: path.to_owned() },
        errno => failed(errno.into()),
    })?;
    let stat = rustix::fs::fstat(&directory).map_err(|errno| failed(errno.into()))?;
    let user = geteuid().as_raw();
    if stat.st_uid != user {
        return Err(StoreError::Owner { path: path.to_owned(), owner: stat.st_uid, user }.into());
    }
    if stat.st_mode & 0o077 != 0 {
        let mode = stat.st_mode & 0o7777;
        return Err(StoreError::Mode { path: path.to_owned(), mode }.into());
    }
    let path = path.canonicalize().map_err(failed)?;
    Ok((directory, path))
}

/// Puts into a new directory what every store has.
pub(super) fn furnish(store: &Store) -> Result<()> {
    let directory = store.blobs.directory();
    for name in BLOBS.into_iter().chain([ROOTS, TMP]) {
        match rustix::fs::mkdirat(directory, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(store.failed("make a directory", errno)),
        }
    }
    let lacks = |name| match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(false),
        Err(Errno::NOENT) => Ok(true),
        Err(errno) => Err(store.failed("look", errno)),
    };
    if !lacks(LAYOUT.0)? && !lacks(INDEX)? {
        return Ok(());
    }
    let lock = Lock::exclusive(store)?;
    // Another process may have been first.
    if lacks(INDEX)? {
        Index::default().write(store, &lock)?;
    }
    if lacks(LAYOUT.0)? {
        Workshop::new(store, &lock)?.replace(LAYOUT.0, LAYOUT.1)?;
    }
    Ok(())
}

/// A directory beneath the store's.
pub(super) fn beneath(store: &Store, name: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(store.blobs.directory(), name, flags, Mode::empty())
        .map_err(|errno| store.failed("open a directory", errno))
}

/// Waits until the disk has the names of all blobs.
pub(super) fn sync_blobs(store: &Store) -> Result<()> {
    for name in &BLOBS[1..] {
        let directory = beneath(store, name)?;
        rustix::fs::fsync(&directory).map_err(|errno| store.failed("wait for the disk", errno))?;
    }
    Ok(())
}
