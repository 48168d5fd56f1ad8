//! [`Base`]: the directories in which one warden makes the cgroups of its runs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, Mode, flock, fstat, mkdirat};
use rustix::io::Errno;

use super::name::Name;
use super::remove::{PATIENCE, remove};
use super::{Parent, files};

/// One directory beneath each [`Parent`], in the same order, removed with all that is in it when
/// dropped.
///
/// Each directory is locked, see flock(2). The lock goes with the descriptor to the warden, so
/// it is held until both this process and the warden are gone; that is how another process knows
/// what it may sweep away.
#[derive(Debug)]
pub(crate) struct Base {
    directories: Vec<Directory>,
}

#[derive(Debug)]
struct Directory {
    parent: OwnedFd,
    name: String,
    fd: OwnedFd,
}

/// A base directory could not be made or removed.
#[derive(Debug, thiserror::Error)]
#[error("cgroup directory under `{}`", parent.display())]
pub(crate) struct BaseError {
    /// Under which cgroup.
    pub(crate) parent: PathBuf,
    /// What the kernel said.
    #[source]
    pub(crate) source: io::Error,
}

impl Base {
    /// Makes the directories.
    ///
    /// # Errors
    /// If one cannot be made; those made before it are removed again.
    pub(crate) fn create(parents: &[Parent]) -> Result<Self, BaseError> {
        let mut base = Self { directories: Vec::new() };
        for parent in parents {
            let made = Directory::create(parent)
                .map_err(|source| BaseError { parent: parent.dir.clone(), source })?;
            base.directories.push(made);
        }
        Ok(base)
    }

    /// The directories, to hand to the warden.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.directories.iter().map(|directory| directory.fd.as_fd())
    }

    /// Removes the directories once the warden is gone, killing what is left in them.
    ///
    /// # Errors
    /// The first failure, after all were tried. Processes in uninterruptible sleep can keep a
    /// directory longer than is waited for, which is two seconds.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for directory in self.directories.drain(..) {
            result = result.and(directory.remove());
        }
        result
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        // There is nobody to tell; the next process to start sweeps up.
        let _ = self.clear();
    }
}

impl Directory {
    fn create(parent: &Parent) -> io::Result<Self> {
        let above = files::open_directory(&parent.dir)?;
        for _ in 0..8 {
            let Some((name, fd)) = Self::claim(&above)? else { continue };
            let directory = Self { parent: above, name, fd };
            if !parent.controllers.is_empty() {
                let enable = format!("+{}", parent.controllers.join(" +"));
                if let Err(error) = files::write(&directory.fd, "cgroup.subtree_control", &enable) {
                    let _ = directory.remove();
                    return Err(error);
                }
            }
            return Ok(directory);
        }
        Err(Errno::EXIST.into())
    }

    /// Makes and locks a directory; `None` if someone else interfered with it in between.
    fn claim(above: &OwnedFd) -> io::Result<Option<(String, OwnedFd)>> {
        let name = Name::new()?.to_string();
        match mkdirat(above, &name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => return Ok(None),
            made => made?,
        }
        let lock = || -> io::Result<Option<OwnedFd>> {
            let fd = files::open_child(above, &name)?;
            match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Ok(None),
                locked => locked?,
            }
            // A directory that was removed before it was locked has no name any more.
            let named = files::open_child(above, &name)?;
            Ok((fstat(&fd)?.st_ino == fstat(&named)?.st_ino).then_some(fd))
        };
        match lock() {
            Ok(fd) => Ok(fd.map(|fd| (name, fd))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let _ = rustix::fs::unlinkat(above, &name, rustix::fs::AtFlags::REMOVEDIR);
                Err(error)
            }
        }
    }

    fn remove(self) -> io::Result<()> {
        remove(self.parent.as_fd(), &self.name, self.fd.as_fd(), PATIENCE)
    }
}
