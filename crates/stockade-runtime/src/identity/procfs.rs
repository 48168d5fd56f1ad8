//! [`Procfs`]: files of the kernel's /proc, where the container may have put something else.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{self, Errno};
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::failure::{Context as _, Outcome};

/// The number of the inode of a procfs's root.
const ROOT: u64 = 1;

/// A procfs that is known to be one. What is opened below it is of the same mount: a file or folder
/// that was mounted over one of its own is refused, and so is a link that leads elsewhere.
pub(crate) struct Procfs(OwnedFd);

impl Procfs {
    /// The one at /proc, or where that is none, one that is mounted nowhere. Where neither may be had,
    /// says so.
    pub(crate) fn open() -> Outcome<Self> {
        match mounted("/proc".as_ref()) {
            Ok(root) => Ok(Self(root)),
            Err(error) => match detached() {
                Ok(root) => Ok(Self(root)),
                Err(_) => Err(error).context(|| "no procfs at /proc, and none may be made".into()),
            },
        }
    }

    /// Writes all of it at once, as files here want it.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let file = self.file(path, OFlags::WRONLY)?;
        match io::write(&file, bytes)? {
            length if length == bytes.len() => Ok(()),
            _ => Err(Errno::IO),
        }
    }

    /// What is in a file, as far as one read gives it.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let file = self.file(path, OFlags::RDONLY)?;
        let mut bytes = vec![0; 4096];
        let length = io::read(&file, &mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A folder's names that are numbers.
    pub(crate) fn numbers(&self, path: &str) -> Result<Vec<i32>, Errno> {
        let folder = self.file(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut numbers = Vec::new();
        for entry in fs::Dir::new(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_str().ok();
            numbers.extend(name.and_then(|name| name.parse::<i32>().ok()));
        }
        Ok(numbers)
    }

    fn file(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NOFOLLOW;
        fs::openat2(&self.0, path, flags, Mode::empty(), resolve)
    }
}

/// The root of a procfs that is mounted there; anything else is refused.
fn mounted(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = fs::openat(CWD, path, flags, Mode::empty())?;
    let is_procfs = fs::fstatfs(&root)?.f_type == fs::PROC_SUPER_MAGIC;
    if is_procfs && fs::fstat(&root)?.st_ino == ROOT { Ok(root) } else { Err(Errno::INVAL) }
}

/// A new procfs of this process's pid namespace.
fn detached() -> Result<OwnedFd, Errno> {
    let context = mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
