//! Copies a tree of files into a new filesystem (`tmpcopyup`).

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    self, AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
};

use super::Step;
use super::tree::lookup;
use crate::failure::Failure;

/// Deeper trees are refused: every level holds two descriptors.
const DEPTH: usize = 128;

/// Copies what is in `from` to `to`: owners, modes and times too, extended attributes not.
/// Links are copied as they are, and another filesystem in there is an error.
pub(super) fn tree(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Step<()> {
    let from = open(from, c".", OFlags::RDONLY | OFlags::DIRECTORY)?;
    let to = open(to, c".", OFlags::RDONLY | OFlags::DIRECTORY)?;
    directory(&from, &to, DEPTH)
}

fn directory(from: &OwnedFd, to: &OwnedFd, depth: usize) -> Step<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Failure::new("directories are nested too deep").into());
    };
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            one(from, to, name, depth)?;
        }
    }
    Ok(())
}

fn one(from: &OwnedFd, to: &OwnedFd, name: &CStr, depth: usize) -> Step<()> {
    let found = fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    let mode = Mode::from_raw_mode(found.st_mode & 0o7777);
    match kind {
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let inner = open(from, name, flags)?;
            fs::mkdirat(to, name, mode)?;
            directory(&inner, &open(to, name, flags)?, depth)?;
        }
        FileType::RegularFile => {
            let source = open(from, name, OFlags::RDONLY)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let target = fs::openat(to, name, flags, mode)?;
            while fs::sendfile(&target, &source, None, 1 << 30)? > 0 {}
        }
        FileType::Symlink => {
            let link = fs::readlinkat(from, name, vec![])?;
            fs::symlinkat(link, to, name)?;
        }
        kind => fs::mknodat(to, name, kind, mode, found.st_rdev)?,
    }
    like(to, name, &found, kind)
}

/// Gives a copy the owner and the times of what it was made from.
fn like(dir: &OwnedFd, name: &CStr, found: &Stat, kind: FileType) -> Step<()> {
    let (user, group) = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
    fs::chownat(dir, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    if kind != FileType::Symlink {
        // A new owner takes set-user-id and its like away.
        fs::chmodat(dir, name, Mode::from_raw_mode(found.st_mode & 0o7777), AtFlags::empty())?;
    }
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(found.st_atime, found.st_atime_nsec as _),
        last_modification: time(found.st_mtime, found.st_mtime_nsec as _),
    };
    Ok(fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn open(dir: impl AsFd, name: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    lookup(dir.as_fd(), OsStr::from_bytes(name.to_bytes()), flags, resolve)
}
