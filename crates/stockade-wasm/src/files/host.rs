//! Files of the host, beneath what a policy binds.
//!
//! The kernel is only ever given one name at a time, seen from an open directory, and never
//! follows a link. So whatever is swapped while a guest looks, what is reached lies in the bind.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::fs::{UTIME_NOW, UTIME_OMIT, fstat, openat, readlinkat, unlinkat, utimensat};
use rustix::io::Errno as Kernel;

use super::errno::{Errno, Outcome};
use super::source::is_kernel_interface;
use super::{FileType, NewTime, Stat};

/// Never a link, never another terminal, never waiting for the other end of a FIFO.
const CAREFUL: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What the files of one bind have in common.
#[derive(Debug)]
pub(super) struct Bind {
    /// Its place among the policy's binds.
    pub(super) index: usize,
    pub(super) writable: bool,
    /// Where a bound file is opened: its directory, and its name there.
    pub(super) place: Option<(OwnedFd, OsString)>,
}

/// A file of the host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) fd: OwnedFd,
    pub(super) bind: Arc<Bind>,
    pub(super) kind: FileType,
    device: u64,
    inode: u64,
}

pub(super) fn kind(mode: u32) -> FileType {
    match rustix::fs::FileType::from_raw_mode(mode) {
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::RegularFile => FileType::Regular,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        _ => FileType::Other,
    }
}

impl Host {
    pub(super) fn new(fd: OwnedFd, bind: Arc<Bind>) -> Outcome<Self> {
        let stat = fstat(&fd)?;
        Ok(Self { fd, bind, kind: kind(stat.st_mode), device: stat.st_dev, inode: stat.st_ino })
    }

    /// What has this name in this directory.
    pub(super) fn get(&self, name: &[u8]) -> Outcome<Option<Self>> {
        let fd = match openat(&self.fd, name, LOOK, Mode::empty()) {
            Ok(fd) => fd,
            Err(Kernel::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let found = Self::new(fd, Arc::clone(&self.bind))?;
        // Something else is mounted here, perhaps only since the policy was prepared.
        if found.device != self.device && is_kernel_interface(&found.fd)? {
            return Err(Errno::Access.into());
        }
        Ok(Some(found))
    }

    /// Opens this file, which has that name in `parent`, or none if it is the bound one.
    pub(super) fn open(
        &self,
        parent: Option<(&Self, &[u8])>,
        read: bool,
        write: bool,
    ) -> Outcome<Self> {
        let access = match (read, write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        if self.kind != FileType::Regular {
            return Err(Errno::Access.into());
        }
        let opened = match (parent, &self.bind.place) {
            (Some((parent, name)), _) => openat(&parent.fd, name, access | CAREFUL, Mode::empty())?,
            (None, Some((parent, name))) => openat(parent, name, access | CAREFUL, Mode::empty())?,
            (None, None) => return Err(Errno::Access.into()),
        };
        let opened = Self::new(opened, Arc::clone(&self.bind))?;
        if (opened.device, opened.inode) != (self.device, self.inode) {
            return Err(Errno::NoEntry.into());
        }
        Ok(opened)
    }

    /// Makes a file in this directory.
    pub(super) fn create(&self, name: &[u8], read: bool) -> Outcome<Self> {
        let access = if read { OFlags::RDWR } else { OFlags::WRONLY };
        let flags = access | CAREFUL | OFlags::CREATE | OFlags::EXCL;
        let fd = openat(&self.fd, name, flags, Mode::from_raw_mode(0o666))?;
        Self::new(fd, Arc::clone(&self.bind))
    }

    pub(super) fn remove(&self, name: &[u8], directory: bool) -> Outcome<()> {
        let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(unlinkat(&self.fd, name, flags)?)
    }

    pub(super) fn target(&self) -> Outcome<Vec<u8>> {
        Ok(readlinkat(&self.fd, "", Vec::new())?.into_bytes())
    }

    pub(super) fn stat(&self) -> Outcome<Stat> {
        let stat = fstat(&self.fd)?;
        Ok(Stat {
            device: stat.st_dev,
            inode: stat.st_ino,
            kind: kind(stat.st_mode),
            links: stat.st_nlink as u64,
            size: stat.st_size.unsigned_abs(),
            accessed: time(stat.st_atime, stat.st_atime_nsec),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    /// Sets the times of an open file or directory.
    pub(super) fn set_times(&self, accessed: NewTime, modified: NewTime) -> Outcome<()> {
        let times = timestamps(accessed, modified)?;
        match self.kind {
            FileType::Directory => utimensat(&self.fd, ".", &times, AtFlags::empty())?,
            _ => rustix::fs::futimens(&self.fd, &times)?,
        }
        Ok(())
    }

    /// Sets the times of what has this name in this directory.
    pub(super) fn set_times_of(
        &self,
        name: &[u8],
        accessed: NewTime,
        modified: NewTime,
    ) -> Outcome<()> {
        let times = timestamps(accessed, modified)?;
        Ok(utimensat(&self.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

fn time(seconds: i64, nanoseconds: impl TryInto<u32>) -> SystemTime {
    let part = Duration::from_nanos(u64::from(nanoseconds.try_into().unwrap_or(0)));
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at =
        if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    at.and_then(|at| at.checked_add(part)).unwrap_or(UNIX_EPOCH)
}

fn timestamps(accessed: NewTime, modified: NewTime) -> Outcome<Timestamps> {
    let convert = |time| -> Result<Timespec, Errno> {
        Ok(match time {
            NewTime::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            NewTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            NewTime::At(at) => {
                let since = at.duration_since(UNIX_EPOCH).map_err(|_| Errno::Invalid)?;
                let tv_sec = i64::try_from(since.as_secs()).map_err(|_| Errno::Invalid)?;
                Timespec { tv_sec, tv_nsec: since.subsec_nanos().into() }
            }
        })
    };
    Ok(Timestamps { last_access: convert(accessed)?, last_modification: convert(modified)? })
}
