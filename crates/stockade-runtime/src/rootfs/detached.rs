//! Mounts that are nowhere yet: made, changed, and only then put where they belong, by descriptor.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    self, FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags,
    MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::Step;
use super::options::{self, ATIME, Change, Propagation, Reach};
use super::proc::proc;
use crate::failure::{Context, Failure, Outcome};
use crate::sys::mounts::{MountAttributes, mount_setattr};

const IDMAP: u64 = 0x0010_0000;

/// The longest string that `fsconfig` takes.
const LONGEST: usize = 255;

/// A mount that is attached nowhere.
#[derive(Debug)]
pub(super) struct Detached {
    mount: OwnedFd,
    /// What a kernel without `mount_setattr` can only change once the mount is somewhere.
    late: Vec<Late>,
}

#[derive(Clone, Copy, Debug)]
enum Late {
    Attributes(Change),
    Propagation(Propagation),
}

/// What a new filesystem is made of.
#[derive(Debug, Default)]
pub(super) struct Filesystem<'a> {
    pub(super) kind: &'a str,
    pub(super) source: &'a str,
    /// Names, and values where they have one.
    pub(super) data: Vec<(&'a str, Option<&'a str>)>,
    /// `MOUNT_ATTR_*`.
    pub(super) attributes: u64,
}

impl Detached {
    /// A copy of the mount `path` is on, from there on, with what is mounted below if asked.
    pub(super) fn copy(dir: BorrowedFd<'_>, path: &Path, reach: Reach) -> rustix::io::Result<Self> {
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        if reach == Reach::Tree {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        open_tree(dir, path, flags).map(Self::from)
    }

    /// A copy of what `place` is.
    pub(super) fn copy_of(place: impl AsFd, reach: Reach) -> rustix::io::Result<Self> {
        Self::copy(place.as_fd(), Path::new(""), reach)
    }

    /// A new filesystem. `stage` is a directory of ours that may be covered for a moment: values too
    /// long for `fsconfig` go by `mount`, which needs a place.
    pub(super) fn filesystem(new: &Filesystem<'_>, stage: &Path) -> Outcome<Self> {
        let long = |value: &str| value.len() > LONGEST;
        if new.data.iter().any(|(name, value)| long(name) || value.is_some_and(long)) {
            return staged(new, stage);
        }
        let context = fsopen(new.kind, FsOpenFlags::FSOPEN_CLOEXEC)
            .context(|| format!("unknown filesystem type {:?}", new.kind))?;
        configure(&context, new)
            .map_err(|errno| Failure::because(complaint(&context, "fsconfig"), errno))?;
        let attributes = MountAttrFlags::from_bits_retain(new.attributes as u32);
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .map_err(|errno| Failure::because(complaint(&context, "fsmount"), errno))?;
        Ok(mount.into())
    }

    /// Changes attributes. What the kernel has locked, because it came from a namespace with more
    /// rights, stays as strict as it is.
    pub(super) fn change(&mut self, change: Change, reach: Reach) -> Outcome<()> {
        if change.is_empty() {
            return Ok(());
        }
        let tree = reach == Reach::Tree;
        let apply = |change: Change| {
            let attributes =
                MountAttributes { set: change.set, clear: change.clear, ..Default::default() };
            set(self.mount.as_fd(), tree, &attributes)
        };
        match apply(change) {
            Err(Errno::PERM) => apply(Change::set(change.set & !ATIME)),
            Err(Errno::NOSYS) if !tree => {
                self.late.push(Late::Attributes(change));
                Ok(())
            }
            result => result,
        }
        .context(|| "changing the attributes of a mount".into())
    }

    /// Changes what mounts made elsewhere do here, and the other way round.
    pub(super) fn propagate(&mut self, propagation: Propagation) -> Outcome<()> {
        match propagation.apply(self.mount.as_fd()) {
            Err(Errno::NOSYS) => {
                self.late.push(Late::Propagation(propagation));
                Ok(())
            }
            result => result,
        }
        .context(|| "changing the propagation of a mount".into())
    }

    /// Has owners shown as the user namespace maps them.
    pub(super) fn map_owners(&self, namespace: &OwnedFd, reach: Reach) -> Outcome<()> {
        let attributes = MountAttributes {
            set: IDMAP,
            user_namespace: namespace.as_raw_fd() as u64,
            ..Default::default()
        };
        set(self.mount.as_fd(), reach == Reach::Tree, &attributes)
            .context(|| "mapping the owners of a mount".into())
    }

    /// Puts the mount onto the place that `target` is, whatever its name leads to by now, and gives
    /// the root of it.
    pub(super) fn attach(self, target: impl AsFd) -> Outcome<OwnedFd> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.mount, "", target, "", flags).context(|| "attaching a mount".into())?;
        for late in &self.late {
            late.apply(&self.mount).context(|| "changing a mount".into())?;
        }
        Ok(self.mount)
    }
}

impl From<OwnedFd> for Detached {
    fn from(mount: OwnedFd) -> Self {
        Self { mount, late: Vec::new() }
    }
}

impl From<Detached> for OwnedFd {
    fn from(detached: Detached) -> Self {
        detached.mount
    }
}

impl AsFd for Detached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}

/// Changes the attributes of a mount that is somewhere already.
pub(super) fn change(mount: &OwnedFd, change: Change) -> Outcome<()> {
    let mut attached =
        Detached::from(mount.try_clone().context(|| "copying a descriptor of a mount".into())?);
    attached.change(change, Reach::One)?;
    for late in &attached.late {
        late.apply(mount).context(|| "changing a mount".into())?;
    }
    Ok(())
}

/// Changes the propagation of a mount that is somewhere already.
pub(super) fn propagate(mount: &OwnedFd, how: Propagation) -> Outcome<()> {
    match how.apply(mount.as_fd()) {
        Err(Errno::NOSYS) => Late::Propagation(how).apply(mount),
        result => result.map_err(Into::into),
    }
    .context(|| "changing the propagation of a mount".into())
}

impl Propagation {
    fn apply(self, mount: BorrowedFd<'_>) -> rustix::io::Result<()> {
        let attributes = MountAttributes { propagation: self.kind, ..Default::default() };
        set(mount, self.reach == Reach::Tree, &attributes)
    }
}

fn set(mount: BorrowedFd<'_>, tree: bool, attributes: &MountAttributes) -> rustix::io::Result<()> {
    #[cfg(test)]
    if super::tests::OLD_KERNEL.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(Errno::NOSYS);
    }
    mount_setattr(mount, tree, attributes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

impl Late {
    /// By `mount`, which takes no descriptor, but a path below one: that of a procfs that is one.
    fn apply(self, mount: &OwnedFd) -> Step<()> {
        let path = format!("self/fd/{}", mount.as_raw_fd());
        let proc = proc()?;
        let here = rustix::fs::open(".", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty())?;
        rustix::process::fchdir(proc.root()?)?;
        let result = match self {
            Self::Attributes(change) => {
                let now = rustix::fs::fstatvfs(mount)?.f_flag.bits();
                let flags = mount_flags((attributes_of(now) & !change.clear) | change.set);
                mount::mount_remount(path, MountFlags::BIND | flags, "")
            }
            Self::Propagation(how) => mount::mount_change(path, propagation_flags(how)),
        };
        rustix::process::fchdir(here)?;
        Ok(result?)
    }
}

/// `MS_*` of a propagation, for `mount`.
pub(super) fn propagation_flags(how: Propagation) -> MountPropagationFlags {
    let mut flags = MountPropagationFlags::from_bits_retain(how.kind as u32);
    if how.reach == Reach::Tree {
        flags |= MountPropagationFlags::REC;
    }
    flags
}

/// `ST_*` of `statvfs` as `MOUNT_ATTR_*`.
fn attributes_of(bits: u64) -> u64 {
    // The first four are the same bits in both.
    let mut attributes = bits & 0x0f;
    for (there, here) in
        [(0x0400, options::NOATIME), (0x0800, options::NODIRATIME), (0x2000, options::NOSYMFOLLOW)]
    {
        if bits & there != 0 {
            attributes |= here;
        }
    }
    if bits & 0x1400 == 0 {
        attributes |= options::STRICTATIME;
    }
    attributes
}

/// `MOUNT_ATTR_*` as `MS_*`.
fn mount_flags(attributes: u64) -> MountFlags {
    // The first four are the same bits in both.
    let mut flags = MountFlags::from_bits_retain((attributes & 0x0f) as u32);
    flags |= match attributes & ATIME {
        options::NOATIME => MountFlags::NOATIME,
        options::STRICTATIME => MountFlags::STRICTATIME,
        _ => MountFlags::RELATIME,
    };
    if attributes & options::NODIRATIME != 0 {
        flags |= MountFlags::NODIRATIME;
    }
    if attributes & options::NOSYMFOLLOW != 0 {
        flags |= MountFlags::NOSYMFOLLOW;
    }
    flags
}

fn configure(context: &OwnedFd, new: &Filesystem<'_>) -> rustix::io::Result<()> {
    if !new.source.is_empty() && new.source.len() <= LONGEST {
        fsconfig_set_string(context, "source", new.source)?;
    }
    for (name, value) in &new.data {
        match value {
            Some(value) => fsconfig_set_string(context, *name, *value)?,
            None => fsconfig_set_flag(context, *name)?,
        }
    }
    fsconfig_create(context)
}

/// What the kernel says of a filesystem that it did not make.
fn complaint(context: &OwnedFd, step: &str) -> String {
    let mut line = [0; 256];
    match rustix::io::read(context, &mut line) {
        Ok(length) if length > 2 => String::from_utf8_lossy(&line[2..length]).trim().to_owned(),
        _ => step.to_owned(),
    }
}

/// A filesystem made by `mount` on a place of ours, copied, and taken away from there.
fn staged(new: &Filesystem<'_>, stage: &Path) -> Outcome<Detached> {
    let mut flags = mount_flags(new.attributes);
    let mut data = String::new();
    for (name, value) in &new.data {
        // `mount` takes as flags what `fsconfig` takes as words.
        match *name {
            "ro" => flags |= MountFlags::RDONLY,
            "sync" => flags |= MountFlags::SYNCHRONOUS,
            "dirsync" => flags |= MountFlags::DIRSYNC,
            "lazytime" => flags |= MountFlags::LAZYTIME,
            "mand" => flags |= MountFlags::PERMIT_MANDATORY_FILE_LOCKING,
            "async" | "nolazytime" | "nomand" => {}
            _ => {
                let separator = if data.is_empty() { "" } else { "," };
                data.extend([separator, name]);
                data.extend(value.iter().flat_map(|value| ["=", value]));
            }
        }
    }
    let data = std::ffi::CString::new(data).context(|| "the data of a mount".into())?;
    mount::mount(new.source, stage, new.kind, flags, data.as_c_str())
        .context(|| format!("mounting a filesystem of type {:?}", new.kind))?;
    let copy = Detached::copy(CWD, stage, Reach::One);
    mount::unmount(stage, UnmountFlags::DETACH).context(|| "unmounting".into())?;
    copy.context(|| "copying a mount".into())
}
