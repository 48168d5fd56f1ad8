//! Who may change a store: one at a time, while nobody reads.

use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use stockade_core::Result;

use super::Store;

/// The file that is locked.
const FILE: &str = "lock";

/// A lock on a store, held for moments: nobody copies or unpacks meanwhile.
///
/// It is a description of an open file, so threads exclude one another as processes do, and the kernel
/// gives it back for whoever dies. A child that is forked meanwhile has it as well, and for as long as it lives,
/// so it is given back by name and not by closing alone.
#[derive(Debug)]
pub(super) struct Lock {
    file: OwnedFd,
}

impl Lock {
    /// For those who read the index, or begin what garbage collection must see.
    pub(super) fn shared(store: &Store) -> Result<Self> {
        Self::take(store, FlockOperation::LockShared)
    }

    /// For those who change the index, or remove.
    pub(super) fn exclusive(store: &Store) -> Result<Self> {
        Self::take(store, FlockOperation::LockExclusive)
    }

    fn take(store: &Store, operation: FlockOperation) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(store.blobs.directory(), FILE, flags, mode)
            .map_err(|errno| store.failed("open the lock", errno))?;
        retry_on_intr(|| rustix::fs::flock(&file, operation))
            .map_err(|errno| store.failed("take the lock", errno))?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It fails for what is no lock, which this is.
        let _: Result<(), Errno> = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests;
