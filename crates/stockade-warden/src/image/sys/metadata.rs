//! What is said of files: whose they are, what may be done with them, when they were changed.

use super::files::AT_SYMLINK_NOFOLLOW;
use super::{Fd, Result, c_path, call, nr, plain};

pub fn chown(fd: Fd, uid: u32, gid: u32) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(nr::FCHOWN, [fd as usize, uid as usize, gid as usize]) }.map(drop)
}

/// Changes whom a link itself belongs to.
pub fn chown_link(dir: Fd, path: &[u8], uid: u32, gid: u32) -> Result<()> {
    let args = [dir as usize, c_path(path)?, uid as usize, gid as usize, AT_SYMLINK_NOFOLLOW, 0];
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::FCHOWNAT, args) }.map(drop)
}

pub fn set_mode(fd: Fd, mode: u32) -> Result<()> {
    // SAFETY: takes numbers.
    unsafe { plain(nr::FCHMOD, [fd as usize, mode as usize]) }.map(drop)
}

/// Sets when a file was changed, and read: seconds and nanoseconds.
pub fn set_modified(fd: Fd, time: [u64; 2]) -> Result<()> {
    let times = [time, time];
    // SAFETY: a null path stands for the descriptor's own file; reads two timespecs.
    unsafe { call(nr::UTIMENSAT, [fd as usize, 0, times.as_ptr() as usize, 0, 0, 0]) }.map(drop)
}

/// Sets an extended attribute of what is at `path`.
pub fn set_attribute(path: &[u8], name: &[u8], value: &[u8]) -> Result<()> {
    let (name, at) = (c_path(name)?, value.as_ptr() as usize);
    // SAFETY: reads two strings up to their NULs, and the value.
    unsafe { call(nr::SETXATTR, [c_path(path)?, name, at, value.len(), 0, 0]) }.map(drop)
}
