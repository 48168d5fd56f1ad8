//! [`Part`]: a blob on its way, of which what came is kept.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use stockade_core::Result;

use super::Store;
use super::directory::{PART, TMP, beneath};
use super::lock::Lock;
use super::workshop::{PIECE, Workshop};
use crate::blobs::Descriptor;
use crate::digest::{Hasher, Mismatch};

/// A file with the first bytes of a blob, locked as long as this value lives. Whoever is killed leaves it to
/// the next one who wants the blob, or to garbage collection.
pub(super) struct Part<'a> {
    store: &'a Store,
    workshop: &'a Workshop<'a>,
    blob: &'a Descriptor,
    /// Where it is, if not in the workshop.
    tmp: Option<OwnedFd>,
    name: String,
    file: File,
    hasher: Hasher,
    have: u64,
    /// Whether some of it was there before: nobody knows how it came there.
    found: bool,
}

impl<'a> Part<'a> {
    /// What is there of a blob, or nothing of it. What somebody else is fetching is not waited for, and
    /// fetched twice.
    pub(super) fn open(
        store: &'a Store,
        workshop: &'a Workshop<'a>,
        blob: &'a Descriptor,
    ) -> Result<Self> {
        let failed = |errno: Errno| store.failed("open a file", errno);
        let name = format!("{PART}{}", blob.digest.file_name());
        let tmp = beneath(store, TMP)?;
        let (tmp, file) = match shared(store, &tmp, &name)? {
            Some(file) => (Some(tmp), file),
            None => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mode = Mode::RUSR | Mode::WUSR;
                let file = rustix::fs::openat(workshop.directory(), &name, flags, mode);
                (None, file.map_err(failed)?)
            }
        };
        let hasher = Hasher::new(blob.digest.algorithm());
        let file = File::from(file);
        let mut part =
            Self { store, workshop, blob, tmp, name, file, hasher, have: 0, found: false };
        part.hash_what_is_there().map_err(|error| store.failed("read what came before", error))?;
        Ok(part)
    }

    fn hash_what_is_there(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.blob.size {
            return self.cut();
        }
        let mut piece = vec![0; PIECE];
        loop {
            match self.file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    self.hasher.update(&piece[..read]);
                    self.have += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.found = self.have > 0;
        Ok(())
    }

    /// How many bytes are there.
    pub(super) fn have(&self) -> u64 {
        self.have
    }

    /// Whether that is all.
    pub(super) fn is_whole(&self) -> bool {
        self.have == self.blob.size
    }

    /// Appends bytes. There may not be more than are missing.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| self.store.failed("write a file", error))?;
        self.hasher.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Begins again with nothing.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.cut().map_err(|error| self.store.failed("cut a file", error))
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::new(self.blob.digest.algorithm());
        self.have = 0;
        self.found = false;
        Ok(())
    }

    /// What it is if it ends after so many bytes, or goes on for so many.
    pub(super) fn judge(&self, found: u64) -> Result<(), Mismatch> {
        let Descriptor { digest: expected, size, .. } = self.blob;
        let (expected, size) = (expected.clone(), *size);
        match found.cmp(&size) {
            Ordering::Less => Err(Mismatch::Short { expected, size, found }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(Mismatch::Long { expected, size }),
        }
    }

    /// Compares what is there, which is whole, with its digest. What does not fit is not kept; whether that
    /// may be the fault of what was there before is said, too.
    pub(super) fn verify(&mut self) -> Result<Result<(), (Mismatch, bool)>> {
        let expected = self.blob.digest.clone();
        let fresh = Hasher::new(expected.algorithm());
        let found = std::mem::replace(&mut self.hasher, fresh).finish();
        if found == expected {
            return Ok(Ok(()));
        }
        let inherited = self.found;
        self.restart()?;
        Ok(Err((Mismatch::Digest { expected, found }, inherited)))
    }

    /// Waits for the disk, and hands what was verified to the workshop.
    pub(super) fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.store.failed("write a file", error))?;
        self.workshop.adopt(self.place(), &self.name, &self.blob.digest)
    }

    fn place(&self) -> BorrowedFd<'_> {
        self.tmp.as_ref().map_or(self.workshop.directory(), |tmp| tmp.as_fd())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.have == 0 {
            // What cannot be removed now is garbage.
            let _: Result<(), Errno> =
                rustix::fs::unlinkat(self.place(), &self.name, AtFlags::empty());
        }
    }
}

/// The file that is for everybody, locked; none if somebody else has it.
fn shared(store: &Store, tmp: &OwnedFd, name: &str) -> Result<Option<OwnedFd>> {
    let failed = |errno: Errno| store.failed("open a file", errno);
    // Garbage collection must not look between its being made and its being locked.
    let _lock = Lock::shared(store)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(tmp, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(errno) => return Err(store.failed("lock a file", errno)),
    }
    // Whoever had it may have put it in its place since it was opened.
    let here = match rustix::fs::statat(tmp, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat.st_ino == rustix::fs::fstat(&file).map_err(failed)?.st_ino,
        Err(Errno::NOENT) => false,
        Err(errno) => return Err(failed(errno)),
    };
    Ok(here.then_some(file))
}
