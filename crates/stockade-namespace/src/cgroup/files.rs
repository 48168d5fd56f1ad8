//! Reading and writing the files of a cgroup beneath its descriptor.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, open, openat};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a cgroup's directory. Not by `O_PATH`, since such a descriptor takes no lock.
pub(super) fn open_directory(dir: &Path) -> io::Result<OwnedFd> {
    Ok(open(dir, DIRECTORY, Mode::empty())?)
}

/// Opens a child, which must not be a symbolic link.
pub(super) fn open_child(dir: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// The contents of `file`.
pub(super) fn read(dir: impl AsFd, file: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut text = String::new();
    File::from(openat(dir, file, flags, Mode::empty())?).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes `value` in one piece, as the kernel wants it.
pub(super) fn write(dir: impl AsFd, file: &str, value: &str) -> io::Result<()> {
    File::from(open_for_writing(dir, file)?).write_all(value.as_bytes())
}

/// Opens `file` to be written.
pub(super) fn open_for_writing(dir: impl AsFd, file: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(dir, file, flags, Mode::empty())?)
}

/// Whether `dir/file` exists; `dir` may be anywhere.
pub(super) fn exists(dir: &Path, file: &str) -> bool {
    rustix::fs::accessat(
        CWD,
        dir.join(file),
        rustix::fs::Access::EXISTS,
        rustix::fs::AtFlags::empty(),
    )
    .is_ok()
}
