//! [`Source`]: what a policy names on the host.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat};

use stockade_core::{is_kernel_filesystem, is_kernel_place};

use super::FileType;
use super::host::kind;
use super::layout::LayoutError;

/// What a path of the host is named for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// `bind` of the mount at this target.
    Bind(String),
    /// `filesystem.base.rootfs`.
    Rootfs,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(target) => write!(f, "the bind source of `{}`", target.escape_debug()),
            Self::Rootfs => f.write_str("the root file system"),
        }
    }
}

/// A file or directory of the host, held by a descriptor from now on.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) fd: OwnedFd,
    /// For a file: its directory, and its name there.
    pub(super) place: Option<(OwnedFd, OsString)>,
}

impl Source {
    /// Opens what `path` leads to. The last part of a root's path may not be a link, so that
    /// nobody can redirect it.
    pub(super) fn open(path: &Path, role: &Role) -> Result<Self, LayoutError> {
        let unreachable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                LayoutError::Missing { role: role.clone(), path: path.to_owned() }
            }
            _ => LayoutError::Unreachable { role: role.clone(), path: path.to_owned(), source },
        };
        // Without a trailing `/`, which would make the kernel follow a link.
        let clean: PathBuf = path.components().collect();
        if *role == Role::Rootfs && clean.is_symlink() {
            return Err(LayoutError::SourceLink { role: role.clone(), path: path.to_owned() });
        }
        let canonical = clean.canonicalize().map_err(unreachable)?;
        let (Some(parent), Some(name)) = (canonical.parent(), canonical.file_name()) else {
            return Err(LayoutError::HostRoot { role: role.clone(), path: path.to_owned() });
        };
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let at = |dir, path: &Path, flags| openat(dir, path, look | flags, Mode::empty());
        let failed = |errno: rustix::io::Errno| unreachable(errno.into());
        let parent = at(CWD, parent, OFlags::DIRECTORY).map_err(failed)?;
        let fd = at(parent.as_fd(), name.as_ref(), OFlags::empty()).map_err(failed)?;
        if is_kernel_place(&canonical) || is_kernel_interface(&fd).map_err(failed)? {
            return Err(LayoutError::KernelInterface { role: role.clone(), path: path.to_owned() });
        }
        let place = match kind(fstat(&fd).map_err(failed)?.st_mode) {
            FileType::Directory => None,
            FileType::Regular if *role != Role::Rootfs => Some((parent, name.to_owned())),
            _ => {
                return Err(LayoutError::SourceKind { role: role.clone(), path: path.to_owned() });
            }
        };
        Ok(Self { fd, place })
    }
}

pub(super) fn is_kernel_interface(fd: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(is_kernel_filesystem(fstatfs(fd)?.f_type as u64))
}
