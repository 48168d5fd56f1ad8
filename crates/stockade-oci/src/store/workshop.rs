//! A directory of one process's own, in which things are made before they are put in place.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use stockade_core::Result;

use super::directory::{TMP, beneath};
use super::lock::Lock;
use super::{Progress, Store};
use crate::digest::{Digest, Mismatch};
use crate::layer::remove_tree;

/// Bytes that are copied at once.
pub(super) const PIECE: usize = 256 << 10;

/// The directory, locked as long as this value lives and removed with it. One that is not locked is a dead
/// process's.
#[derive(Debug)]
pub(super) struct Workshop<'a> {
    store: &'a Store,
    tmp: OwnedFd,
    name: String,
    directory: OwnedFd,
}

/// A name that nothing else has.
pub(super) fn fresh_name(store: &Store) -> Result<String> {
    let mut bytes = [0; 16];
    // So few bytes are given whole.
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|errno| store.failed("make up a name", errno))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

impl<'a> Workshop<'a> {
    /// A new one. Garbage collection must not look between its being made and its being locked, so a lock
    /// on the store is held.
    pub(super) fn new(store: &'a Store, _lock: &Lock) -> Result<Self> {
        let tmp = beneath(store, TMP)?;
        let name = fresh_name(store)?;
        let made = rustix::fs::mkdirat(&tmp, &name, Mode::RWXU)
            .and_then(|()| open_directory(&tmp, &name))
            .and_then(|directory| {
                rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
                Ok(directory)
            });
        let directory = made.map_err(|errno| store.failed("make a directory", errno))?;
        Ok(Self { store, tmp, name, directory })
    }

    /// Its descriptor.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Writes a new file and waits for the disk. Returns how many bytes it got.
    pub(super) fn write(
        &self,
        name: &str,
        bytes: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let failed = |source: io::Error| self.store.failed("write a file", source);
        let file = rustix::fs::openat(&self.directory, name, flags, mode);
        let mut file = File::from(file.map_err(|errno| failed(errno.into()))?);
        let mut piece = vec![0; PIECE];
        let mut written = 0;
        loop {
            let read = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(reading(self.store, error)),
            };
            file.write_all(&piece[..read]).map_err(failed)?;
            written += read as u64;
            progress(written);
            self.store.go_on()?;
        }
        file.sync_all().map_err(failed)?;
        Ok(written)
    }

    /// A blob that is small.
    pub(super) fn stage(&self, digest: &Digest, mut bytes: &[u8]) -> Result<()> {
        if !self.has(digest) {
            self.write(&digest.file_name(), &mut bytes, &mut |_| {})?;
        }
        Ok(())
    }

    /// Whether a blob is here.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        let name = digest.file_name();
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Takes a blob that the store has, so that it stays whatever others remove. False if it has not, or if
    /// the filesystem has no hard links: then the blob is copied from its source.
    pub(super) fn borrow(&self, digest: &Digest, size: u64) -> bool {
        let from = self.store.blobs.directory();
        let (path, name) = (digest.blob_path(), digest.file_name());
        if rustix::fs::linkat(from, path, &self.directory, &name, AtFlags::empty()).is_err() {
            return false;
        }
        let stat = rustix::fs::statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW);
        let whole = stat.is_ok_and(|stat| u64::try_from(stat.st_size) == Ok(size));
        if !whole {
            // It is damaged, and will be replaced. If it cannot be removed here, writing it tells.
            let _: Result<(), Errno> =
                rustix::fs::unlinkat(&self.directory, &name, AtFlags::empty());
        }
        whole
    }

    /// Opens a file that was written here.
    pub(super) fn open(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::empty());
        Ok(file.map_err(|errno| self.store.failed("open a file", errno))?.into())
    }

    /// Gives a file another name here.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        rustix::fs::renameat(&self.directory, from, &self.directory, to)
            .map_err(|errno| self.store.failed("rename a file", errno))
    }

    /// Takes a blob that was made elsewhere, and verified.
    #[cfg(feature = "pull")]
    pub(super) fn adopt(&self, from: BorrowedFd<'_>, name: &str, digest: &Digest) -> Result<()> {
        rustix::fs::renameat(from, name, &self.directory, digest.file_name())
            .map_err(|errno| self.store.failed("rename a file", errno))
    }

    /// Puts a blob in its place in the store. The lock is held exclusively, so nobody removes it before the
    /// index names it.
    pub(super) fn place(&self, digest: &Digest, _lock: &Lock) -> Result<()> {
        let to = self.store.blobs.directory();
        match rustix::fs::renameat(&self.directory, digest.file_name(), to, digest.blob_path()) {
            Ok(()) => Ok(()),
            Err(errno) => Err(self.store.failed("put a file in place", errno)),
        }
    }

    /// Writes a file of the store's own and puts it in the place of the one before.
    pub(super) fn replace(&self, name: &str, mut bytes: &[u8]) -> Result<()> {
        self.write(name, &mut bytes, &mut |_| {})?;
        let to = self.store.blobs.directory();
        rustix::fs::renameat(&self.directory, name, to, name)
            .and_then(|()| rustix::fs::fsync(to))
            .map_err(|errno| self.store.failed("put a file in place", errno))
    }
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is garbage.
        let _: Result<()> = remove_tree(self.tmp.as_fd(), self.name.as_ref());
    }
}

/// Opens a directory that is no link.
pub(super) fn open_directory(at: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// An error of a reader: what a verifier found, or what the system says.
fn reading(store: &Store, error: io::Error) -> stockade_core::Error {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Mismatch>()) {
        Some(mismatch) => mismatch.clone().into(),
        None => store.failed("read what is to be kept", error),
    }
}

/// An observer of one part.
pub(super) fn of_part<'a>(
    observer: &'a mut dyn FnMut(Progress<'_>),
    blob: &'a str,
    size: u64,
) -> impl FnMut(u64) + 'a {
    move |done| observer(Progress { blob, done, size })
}
