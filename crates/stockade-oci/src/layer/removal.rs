//! Removing trees by descriptors, so that neither a link nor a mount leads the removal elsewhere.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;
use stockade_core::Result;

use super::directory;
use super::error::LayerError;

/// How deep directories are removed in place that cannot be moved.
const DEPTH: u32 = 128;

/// Removes what is called `name` in the directory `parent`, with all that is beneath it if it is a
/// directory. If there is nothing of that name, nothing is done.
///
/// No symbolic link is followed. Directories that deny their owner access are given it first. The depth of
/// the tree does not matter: neither memory nor descriptors grow with it.
///
/// # Errors
///
/// [`InvalidPolicy`](stockade_core::ErrorKind::InvalidPolicy) if `name` is empty, `.` or `..`, or has a
/// slash or a NUL byte in it. Otherwise, by what the kernel says: a mount beneath ends the removal, and so
/// does a directory of somebody else's. Part of the tree may be gone then, and what is left may be
/// elsewhere in it.
///
/// ```
/// use std::fs;
/// use std::os::fd::AsFd;
///
/// let path = std::env::temp_dir().join(format!("stockade-doc-{}", std::process::id()));
/// fs::create_dir_all(path.join("half/made"))?;
/// let parent = fs::File::open(&path)?;
/// stockade_oci::layer::remove_tree(parent.as_fd(), "half".as_ref())?;
/// assert_eq!(fs::read_dir(&path)?.count(), 0);
/// # fs::remove_dir(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let bytes = name.as_bytes();
    let shown = || name.to_string_lossy().into_owned();
    if matches!(bytes, b"" | b"." | b"..") || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(LayerError::RemovalName { name: shown() }.into());
    }
    Ok(remove(parent, bytes)
        .map_err(|errno| LayerError::Removal { name: shown(), source: errno.into() })?)
}

/// As [`remove_tree`], for the name of one entry.
pub(super) fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    remove_at(parent, name, DEPTH)
}

fn remove_at(parent: BorrowedFd<'_>, name: &[u8], depth: u32) -> rustix::io::Result<()> {
    let found = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return rustix::fs::unlinkat(parent, name, AtFlags::empty());
    }
    if !is_gone(parent, name)? {
        let top = directory::open_own(parent, name)?;
        Lift { top: &top, serial: 0, depth }.empty()?;
        rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// Removes a directory if it is empty, and says whether it did.
fn is_gone(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<bool> {
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Empties a directory without descending: directories two levels beneath are moved up by one, and so
/// come to be emptied in their turn.
struct Lift<'a> {
    top: &'a OwnedFd,
    /// Numbers the names of what was moved up.
    serial: u64,
    depth: u32,
}

impl Lift<'_> {
    fn empty(&mut self) -> rustix::io::Result<()> {
        loop {
            let entries = directory::some(self.top)?;
            if entries.is_empty() {
                return Ok(());
            }
            for (name, is_directory) in entries {
                if !is_directory {
                    rustix::fs::unlinkat(self.top, &name, AtFlags::empty())?;
                } else if !is_gone(self.top.as_fd(), name.to_bytes())? {
                    self.flatten(&directory::open_own(self.top, name.to_bytes())?)?;
                    rustix::fs::unlinkat(self.top, &name, AtFlags::REMOVEDIR)?;
                }
            }
        }
    }

    /// Leaves nothing in `child`, a directory in the top one.
    fn flatten(&mut self, child: &OwnedFd) -> rustix::io::Result<()> {
        loop {
            let entries = directory::some(child)?;
            if entries.is_empty() {
                return Ok(());
            }
            for (name, is_directory) in entries {
                if !is_directory {
                    rustix::fs::unlinkat(child, &name, AtFlags::empty())?;
                } else if !is_gone(child.as_fd(), name.to_bytes())? {
                    self.lift(child, name.to_bytes())?;
                }
            }
        }
    }

    fn lift(&mut self, child: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        // To move a directory is to write to it: its `..` changes.
        drop(directory::open_own(child, name)?);
        loop {
            let lifted = format!(".lifted-{}", self.serial);
            self.serial += 1;
            match rustix::fs::renameat(child, name, self.top, &lifted) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                // An overlay does not move directories of its lower layers.
                Err(Errno::XDEV) if self.depth > 0 => {
                    return remove_at(child.as_fd(), name, self.depth - 1);
                }
                other => return other,
            }
        }
    }
}
