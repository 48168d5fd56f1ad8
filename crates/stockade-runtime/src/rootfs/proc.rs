//! A procfs that is one: what is written to `/proc` must not end in a file of the image, nor in
//! another part of procfs that was mounted over the one that was meant.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, OFlags, PROC_SUPER_MAGIC, ResolveFlags, Stat, fstat, fstatfs};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::tree::lookup;
use crate::failure::{Context, Outcome};

/// The inode of the root of every procfs.
const ROOT: u64 = 1;

/// The root of a procfs; files are opened below it, across no mount.
#[derive(Debug)]
pub(crate) struct Proc {
    /// `/proc`, where that is one.
    there: Option<OwnedFd>,
    /// One that nobody else can see, for what is covered or missing in the other.
    own: OnceCell<OwnedFd>,
}

/// The procfs to read and write this process and the system by. In a user namespace it must be used
/// before [`Rootfs::finish`](super::Rootfs::finish): with parts of `/proc` masked, the kernel lets
/// nobody there make another that shows them.
pub(crate) fn proc() -> Outcome<Proc> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let there = lookup(CWD, "/proc", flags, ResolveFlags::NO_SYMLINKS)
        .ok()
        .filter(|root| is_root(root.as_fd()));
    Ok(Proc { there, own: OnceCell::new() })
}

/// Whether this is in a procfs.
pub(super) fn is_proc(place: impl AsFd) -> bool {
    fstatfs(place).is_ok_and(|filesystem| filesystem.f_type == PROC_SUPER_MAGIC)
}

/// Whether this is the root of a procfs.
pub(super) fn is_root(place: BorrowedFd<'_>) -> bool {
    is_proc(place) && fstat(place).is_ok_and(|Stat { st_ino, .. }| st_ino == ROOT)
}

impl Proc {
    /// One whose numbers are those of this process's pid namespace, which those of `/proc` need not be.
    pub(super) fn own_only() -> Outcome<Self> {
        let proc = Self { there: None, own: OnceCell::new() };
        proc.own()?;
        Ok(proc)
    }

    /// A namespace of a process. It is a link that only the kernel can follow.
    pub(super) fn namespace(&self, pid: i32, kind: &str) -> Outcome<OwnedFd> {
        let path = format!("{pid}/ns/{kind}");
        let flags = OFlags::RDONLY;
        lookup(self.root()?, &path, flags, ResolveFlags::empty())
            .context(|| format!("open /proc/{path}"))
    }

    /// Opens what is at `path`, without the `/proc/`. The flags are used as they are, close-on-exec
    /// besides.
    pub(crate) fn open(&self, path: impl AsRef<Path>, flags: OFlags) -> Outcome<OwnedFd> {
        let path = path.as_ref();
        let below = |root: BorrowedFd<'_>| {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
            lookup(root, path, flags, resolve)
        };
        let named = || format!("open /proc/{}", path.display());
        if let Some(there) = &self.there {
            match below(there.as_fd()) {
                Err(Errno::XDEV | Errno::NOENT) => {}
                opened => return opened.context(named),
            }
        }
        below(self.own()?.as_fd()).context(named)
    }

    /// Writes all of `bytes` at once to the file at `path`, as procfs wants it.
    pub(crate) fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Outcome<()> {
        let path = path.as_ref();
        let file = self.open(path, OFlags::WRONLY)?;
        let written = rustix::io::write(file, bytes);
        written.map(drop).context(|| format!("write /proc/{}", path.display()))
    }

    /// The root itself.
    pub(super) fn root(&self) -> Outcome<BorrowedFd<'_>> {
        match &self.there {
            Some(there) => Ok(there.as_fd()),
            None => self.own().map(AsFd::as_fd),
        }
    }

    /// A procfs of this process's pid namespace, attached nowhere.
    fn own(&self) -> Outcome<&OwnedFd> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let own =
            detached().context(|| "/proc is covered or is no procfs, and a new one".into())?;
        Ok(self.own.get_or_init(|| own))
    }
}

fn detached() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
