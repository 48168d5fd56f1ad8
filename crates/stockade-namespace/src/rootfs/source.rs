//! [`Source`]: something of the host that appears in a sandbox.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use stockade_core::{is_kernel_filesystem, is_kernel_place};

use super::error::{Role, RootfsError};

/// A file, directory or device of the host.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Canonical absolute path.
    pub(super) path: PathBuf,
    /// `st_dev` and `st_ino`, or zeros where whatever is at the path is meant.
    pub(super) identity: (u64, u64),
    /// Owner and group.
    pub(super) owner: (u32, u32),
    /// Whether it is a directory.
    pub(super) directory: bool,
}

/// File systems that are windows into the kernel, by name, and those that are only ever mounted
/// beneath them.
const KERNEL_FILESYSTEM_NAMES: [&str; 14] = [
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "devtmpfs",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "mqueue",
    "configfs",
    "pstore",
    "efivarfs",
];

impl Source {
    /// The source of a policy's bind; links in `path` are followed, now and never again.
    pub(super) fn bind(path: &Path, target: &str) -> Result<Self, RootfsError> {
        let role = Role::Bind(target.to_owned());
        let canonical = fs::canonicalize(path).map_err(|e| unreachable(&role, path, e))?;
        let meta = fs::symlink_metadata(&canonical).map_err(|e| unreachable(&role, path, e))?;
        refuse_kernel(&role, path, &canonical)?;
        if !meta.is_dir() && !meta.is_file() {
            return Err(RootfsError::SourceKind {
                role,
                path: path.to_owned(),
                found: kind_name(meta.file_type()),
                wanted: "a file or directory",
            });
        }
        Ok(Self::pinned(canonical, &meta))
    }

    /// The directory of a policy's rootfs. Only its parents may be links.
    pub(super) fn rootfs(path: &Path) -> Result<Self, RootfsError> {
        let role = Role::Rootfs;
        // Taken apart and put together again, the path has no trailing `/` or `/.` left, which
        // would make the kernel follow a link in the last component.
        let clean: PathBuf = path.components().collect();
        let canonical = match (clean.parent(), clean.components().next_back()) {
            (Some(parent), Some(Component::Normal(name))) => {
                let parent = if parent == Path::new("") { Path::new(".") } else { parent };
                fs::canonicalize(parent).map(|parent| parent.join(name))
            }
            _ => fs::canonicalize(&clean),
        }
        .map_err(|e| unreachable(&role, path, e))?;
        let meta = fs::symlink_metadata(&canonical).map_err(|e| unreachable(&role, path, e))?;
        if meta.is_symlink() {
            return Err(RootfsError::SourceLink { role, path: path.to_owned() });
        }
        if !meta.is_dir() {
            return Err(RootfsError::SourceKind {
                role,
                path: path.to_owned(),
                found: kind_name(meta.file_type()),
                wanted: "a directory",
            });
        }
        refuse_kernel(&role, path, &canonical)?;
        Ok(Self::pinned(canonical, &meta))
    }

    /// The directory of a rootfs that is written to: one filesystem, since one is what is layered over.
    pub(super) fn lower(path: &Path) -> Result<Self, RootfsError> {
        let source = Self::rootfs(path)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        match mount_beneath(&mounts, &source.path, |_| true) {
            Some(mount) => Err(RootfsError::MountBeneath { rootfs: path.to_owned(), mount }),
            None => Ok(source),
        }
    }

    /// Part of the base `system`. Not pinned: only root can replace it, and package managers do,
    /// while prepared programs live on.
    pub(super) fn system(path: &Path) -> Result<Self, RootfsError> {
        let role = Role::System;
        let canonical = fs::canonicalize(path).map_err(|e| unreachable(&role, path, e))?;
        let meta = fs::symlink_metadata(&canonical).map_err(|e| unreachable(&role, path, e))?;
        Ok(Self { identity: (0, 0), ..Self::pinned(canonical, &meta) })
    }

    /// A character device of the host, which must be the one with this number.
    pub(super) fn device(path: &Path, major: u32, minor: u32) -> Result<Self, RootfsError> {
        match fs::symlink_metadata(path) {
            Ok(meta)
                if meta.file_type().is_char_device()
                    && meta.rdev() == libc::makedev(major, minor) =>
            {
                Ok(Self::pinned(path.to_owned(), &meta))
            }
            _ => Err(RootfsError::Device { path: path.to_owned() }),
        }
    }

    fn pinned(path: PathBuf, meta: &Metadata) -> Self {
        Self {
            path,
            identity: (meta.dev(), meta.ino()),
            owner: (meta.uid(), meta.gid()),
            directory: meta.is_dir(),
        }
    }
}

fn refuse_kernel(role: &Role, named: &Path, canonical: &Path) -> Result<(), RootfsError> {
    let (role, path) = (role.clone(), named.to_owned());
    if canonical == Path::new("/") {
        return Err(RootfsError::HostRoot { role, path });
    }
    let magic =
        rustix::fs::statfs(canonical).map_err(|e| unreachable(&role, named, e.into()))?.f_type;
    if is_kernel_place(canonical) || is_kernel_filesystem(magic as u64) {
        return Err(RootfsError::KernelInterface { role, path });
    }
    // A bind takes along what is mounted beneath.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kernel = |kind: &str| KERNEL_FILESYSTEM_NAMES.contains(&kind);
    match mount_beneath(&mounts, canonical, kernel) {
        Some(mount) => Err(RootfsError::KernelBeneath { role, path, mount }),
        None => Ok(()),
    }
}

/// The first filesystem of a wanted kind that is mounted beneath `dir`, by a mountinfo text (see
/// proc_pid_mountinfo(5)).
fn mount_beneath(mountinfo: &str, dir: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let kind = rest.split(' ').next()?;
        // Only a blank, tab, newline and backslash are escaped; none is in a kernel's own names.
        let mount = Path::new(place.split(' ').nth(4)?);
        let beneath = mount != dir && mount.starts_with(dir);
        (beneath && wanted(kind)).then(|| mount.to_owned())
    })
}

fn unreachable(role: &Role, path: &Path, source: io::Error) -> RootfsError {
    let (role, path) = (role.clone(), path.to_owned());
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            RootfsError::Missing { role, path }
        }
        _ => RootfsError::Unreachable { role, path, source },
    }
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_dir() {
        "a directory"
    } else {
        "a file"
    }
}
