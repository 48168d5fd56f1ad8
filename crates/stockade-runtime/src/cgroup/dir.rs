//! [`Dir`]: one group, held by its descriptor. Every path and file of cgroupfs is opened here.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The two interfaces of control groups, see cgroups(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    /// What statfs(2) calls its file system.
    const fn magic(self) -> u32 {
        match self {
            Self::V1 => 0x0027_e0eb,
            Self::V2 => 0x6367_7270,
        }
    }
}

/// A directory of cgroupfs.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    /// How messages call it.
    pub(crate) shown: PathBuf,
}

/// Not by `O_PATH`: programs are attached to such a descriptor, and its entries are read.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A path of a config never leaves the mount that it starts in, by whatever is in the way.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

impl Dir {
    /// Opens the mount point of a hierarchy, and makes sure that cgroupfs is what is there.
    pub(crate) fn mount(point: &Path, version: Version) -> io::Result<Self> {
        // A mount point may be reached by a link: /sys/fs/cgroup/cpu to `cpu,cpuacct`.
        let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
        let fd = rustix::fs::open(point, flags, Mode::empty())?;
        // The types differ from one architecture to the next; the numbers have 32 bits.
        if rustix::fs::fstatfs(&fd)?.f_type as u32 != version.magic() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no control groups are mounted"));
        }
        Ok(Self { fd, shown: point.to_owned() })
    }

    /// Any directory, which tests fill with files like those of the kernel.
    #[cfg(test)]
    pub(crate) fn pretend(path: &Path) -> Self {
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty()).expect("a test made it");
        Self { fd, shown: path.to_owned() }
    }

    /// A group anywhere beneath this one; this one for the empty path.
    pub(crate) fn below(&self, path: &str) -> io::Result<Self> {
        let inner = if path.is_empty() { "." } else { path };
        let fd = openat2(&self.fd, inner, DIRECTORY, Mode::empty(), BENEATH)?;
        let shown = if path.is_empty() { self.shown.clone() } else { self.shown.join(path) };
        Ok(Self { fd, shown })
    }

    /// The group of this name in this one.
    pub(crate) fn child(&self, name: &CStr) -> io::Result<Self> {
        let fd = openat(&self.fd, name, DIRECTORY, Mode::empty())?;
        Ok(Self { fd, shown: self.shown.join(&*name.to_string_lossy()) })
    }

    /// The group that this one is in. Groups cannot be moved, so it is the one it was found in.
    pub(crate) fn above(&self) -> io::Result<Self> {
        let fd = openat(&self.fd, "..", DIRECTORY, Mode::empty())?;
        let shown = self.shown.parent().unwrap_or(&self.shown).to_owned();
        Ok(Self { fd, shown })
    }

    /// Makes a group in this one; whether there was none.
    pub(crate) fn make(&self, name: &CStr) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an empty group of this one. One that is gone is fine.
    pub(crate) fn unmake(&self, name: &CStr) -> Result<(), Errno> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// Names of the groups in this one. A container may have named them, in any bytes.
    pub(crate) fn children(&self) -> io::Result<Vec<CString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The contents of a file.
    pub(crate) fn read(&self, file: &str) -> io::Result<String> {
        let mut text = String::new();
        File::from(self.open(file, OFlags::RDONLY)?).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Writes to a file in one piece, as the kernel wants it.
    pub(crate) fn write(&self, file: &str, value: &str) -> io::Result<()> {
        write_once(self.open(file, OFlags::WRONLY)?.as_fd(), value)
    }

    /// Opens a file, which must be one of this very group.
    pub(crate) fn open(&self, file: &str, mode: OFlags) -> io::Result<OwnedFd> {
        // Parts of some names come from a config.
        if file.contains('/') || matches!(file, "" | "." | "..") {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no name of a file"));
        }
        let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.fd, file, flags, Mode::empty())?)
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, file: &str) -> bool {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        !file.contains('/') && rustix::fs::statat(&self.fd, file, flags).is_ok()
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Dir> for OwnedFd {
    fn from(dir: Dir) -> Self {
        dir.fd
    }
}

/// Writes all of `value` by one call.
pub(crate) fn write_once(fd: BorrowedFd<'_>, value: &str) -> io::Result<()> {
    let written = rustix::io::retry_on_intr(|| rustix::io::write(fd, value.as_bytes()))?;
    if written == value.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}
