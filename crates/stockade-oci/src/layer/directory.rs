//! Directories by their descriptors: opening them without leaving where one is, and reading them.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom};
use rustix::io::Errno;

/// Bytes of a directory that are read at a time.
const BUFFER: usize = 32 << 10;

/// How often a lookup is tried that a rename elsewhere disturbed, as openat2(2) advises.
const TRIES: u32 = 1000;

/// Permission for us to do all there is to do in a directory.
pub(super) const OURS: Mode = Mode::RWXU;

/// Links are followed, within `root`.
pub(super) const IN_ROOT: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// No link is followed.
pub(super) const PLAIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// To name what is in it.
pub(super) const PLACE: OFlags = OFlags::PATH;

/// To read it, and to change its mode.
pub(super) const READ: OFlags = OFlags::RDONLY;

/// Opens the directory at `path` beneath `root`, for [`PLACE`] or [`READ`]. An empty path is `root`.
pub(super) fn open(
    root: impl AsFd,
    path: &[u8],
    access: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for _ in 1..TRIES {
        match rustix::fs::openat2(root.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

/// As [`open`] to read without following links, and with all permissions for us, which its owner may
/// give.
pub(super) fn open_own(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let place = open(parent, name, PLACE, PLAIN)?;
    allow(&place)?;
    open(place, b"", READ, PLAIN)
}

/// Gives us all permissions for a directory. Where they are somebody else's to give, they may not be
/// needed.
pub(super) fn allow(place: &OwnedFd) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(place)?.st_mode);
    if mode.contains(OURS) {
        return Ok(());
    }
    // A descriptor that only names a file does not change its mode, and to open it otherwise may need the
    // permission that is missing. This link of the kernel's leads to that very file.
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    match rustix::fs::chmod(link, mode | OURS) {
        Err(Errno::PERM | Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// The number of the inode, which tells directories of one file system apart.
pub(super) fn inode(directory: impl AsFd) -> rustix::io::Result<u64> {
    Ok(rustix::fs::fstat(directory)?.st_ino)
}

/// Some of the entries of a directory, from its first on, each with whether it is a directory. None when
/// it is empty.
pub(super) fn some(directory: &OwnedFd) -> rustix::io::Result<Vec<(CString, bool)>> {
    let mut found = Vec::new();
    read(directory, |name, is_directory| {
        found.push((name, is_directory));
        Ok(found.len() < 1024)
    })?;
    Ok(found)
}

/// Shows every entry to `visit` with whether it is a directory, until that returns false. The entry that is
/// shown may be removed.
pub(super) fn read(
    directory: &OwnedFd,
    mut visit: impl FnMut(CString, bool) -> rustix::io::Result<bool>,
) -> rustix::io::Result<()> {
    rustix::fs::seek(directory, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(found.st_mode)
            }
            known => known,
        };
        if !visit(name.to_owned(), kind == FileType::Directory)? {
            break;
        }
    }
    Ok(())
}
