//! Mounts, by the descriptor-based interface (`open_tree`, `fsopen`, `move_mount`,
//! `mount_setattr`; Linux 5.12).

use super::files::AT_EMPTY_PATH;
use super::{AT_FDCWD, Fd, Result, c_path, call, nr, plain};

const OPEN_TREE: usize = 428;
const MOVE_MOUNT: usize = 429;
const FSOPEN: usize = 430;
const FSCONFIG: usize = 431;
const FSMOUNT: usize = 432;
const MOUNT_SETATTR: usize = 442;

const OPEN_TREE_CLONE: usize = 1;
const AT_RECURSIVE: usize = 0x8000;
const FSOPEN_CLOEXEC: usize = 1;
const FSMOUNT_CLOEXEC: usize = 1;
const FSCONFIG_SET_FLAG: usize = 0;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;
const MOVE_FROM_FD: usize = 4;
const MOVE_TO_FD: usize = 0x40;
const MNT_DETACH: usize = 2;
const MS_REC: usize = 0x4000;
const MS_PRIVATE: usize = 1 << 18;
const MS_SLAVE: usize = 1 << 19;

pub const RDONLY: u64 = 0x01;
pub const NOSUID: u64 = 0x02;
pub const NODEV: u64 = 0x04;
pub const NOEXEC: u64 = 0x08;
const IDMAP: u64 = 0x0010_0000;

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// A detached copy of the mount tree at `path`.
pub fn clone_tree(dir: Fd, path: &[u8]) -> Result<Fd> {
    let flags = OPEN_TREE_CLONE | 0o2_000_000 | AT_EMPTY_PATH as usize | AT_RECURSIVE;
    // SAFETY: reads the path up to its NUL.
    unsafe { call(OPEN_TREE, [dir as usize, c_path(path)?, flags, 0, 0, 0]) }.map(|fd| fd as Fd)
}

/// A detached copy of the one mount at `path`.
pub fn clone_mount(path: &[u8]) -> Result<Fd> {
    let flags = OPEN_TREE_CLONE | 0o2_000_000;
    let args = [AT_FDCWD as usize, c_path(path)?, flags, 0, 0, 0];
    // SAFETY: reads the path up to its NUL.
    unsafe { call(OPEN_TREE, args) }.map(|fd| fd as Fd)
}

/// Attaches a detached mount at the place `target` refers to.
pub fn attach(mount: Fd, target: Fd) -> Result<()> {
    let empty = c"".as_ptr() as usize;
    let flags = MOVE_FROM_FD | MOVE_TO_FD;
    // SAFETY: reads two empty paths.
    unsafe { call(MOVE_MOUNT, [mount as usize, empty, target as usize, empty, flags, 0]) }.map(drop)
}

/// Attaches a detached mount at `path`.
pub fn attach_at(mount: Fd, path: &[u8]) -> Result<()> {
    let empty = c"".as_ptr() as usize;
    let args = [mount as usize, empty, AT_FDCWD as usize, c_path(path)?, MOVE_FROM_FD, 0];
    // SAFETY: reads two paths up to their NULs.
    unsafe { call(MOVE_MOUNT, args) }.map(drop)
}

/// Sets attributes on the whole tree at `mount`.
pub fn set_attributes(mount: Fd, set: u64) -> Result<()> {
    let attr = MountAttr { set, clear: 0, propagation: MS_PRIVATE as u64, userns: 0 };
    apply(mount, &attr, AT_RECURSIVE)
}

/// Makes the one mount at `mount` read-only.
pub fn seal_mount(mount: Fd) -> Result<()> {
    let attr = MountAttr { set: RDONLY, clear: 0, propagation: 0, userns: 0 };
    apply(mount, &attr, 0)
}

/// Makes the tree at `mount` show its files as the user namespace `userns` maps their owners.
pub fn set_id_map(mount: Fd, userns: Fd) -> Result<()> {
    let attr = MountAttr { set: IDMAP, clear: 0, propagation: 0, userns: userns as u64 };
    apply(mount, &attr, AT_RECURSIVE)
}

fn apply(mount: Fd, attr: &MountAttr, recursive: usize) -> Result<()> {
    let empty = c"".as_ptr() as usize;
    let flags = AT_EMPTY_PATH as usize | recursive;
    let at = &raw const *attr as usize;
    let args = [mount as usize, empty, flags, at, size_of::<MountAttr>(), 0];
    // SAFETY: reads an empty path and the structure of the given size.
    unsafe { call(MOUNT_SETATTR, args) }.map(drop)
}

/// A new, detached filesystem of type `kind`, with text options; an empty text is an option without one.
pub fn new_filesystem(kind: &[u8], options: &[(&[u8], &[u8])], attributes: u64) -> Result<Fd> {
    // SAFETY: reads the name up to its NUL.
    let context = unsafe { call(FSOPEN, [c_path(kind)?, FSOPEN_CLOEXEC, 0, 0, 0, 0]) }? as Fd;
    let result = configure(context, options).and_then(|()| {
        // SAFETY: takes numbers.
        unsafe { plain(FSMOUNT, [context as usize, FSMOUNT_CLOEXEC, attributes as usize]) }
    });
    super::close(context);
    result.map(|fd| fd as Fd)
}

fn configure(context: Fd, options: &[(&[u8], &[u8])]) -> Result<()> {
    for (key, value) in options {
        let key = c_path(key)?;
        let args = match value {
            [] => [context as usize, FSCONFIG_SET_FLAG, key, 0, 0, 0],
            text => [context as usize, FSCONFIG_SET_STRING, key, c_path(text)?, 0, 0],
        };
        // SAFETY: reads one or two strings up to their NULs.
        unsafe { call(FSCONFIG, args) }?;
    }
    // SAFETY: null pointers, as this command wants.
    unsafe { call(FSCONFIG, [context as usize, FSCONFIG_CMD_CREATE, 0, 0, 0, 0]) }.map(drop)
}

fn propagate(flags: usize) -> Result<()> {
    let root = c"/".as_ptr() as usize;
    // SAFETY: reads the target; source, type and data are null, as a change of propagation wants.
    unsafe { call(nr::MOUNT, [0, root, 0, MS_REC | flags, 0, 0]) }.map(drop)
}

/// No mount event leaves or enters this namespace.
pub fn make_private() -> Result<()> {
    propagate(MS_PRIVATE)
}

/// Unmounts of the host reach this namespace, so that it pins nothing; nothing goes back.
pub fn make_slave() -> Result<()> {
    propagate(MS_SLAVE)
}

/// Takes a mount away.
pub fn unmount(path: &[u8]) -> Result<()> {
    const UMOUNT_NOFOLLOW: usize = 8;
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::UMOUNT2, [c_path(path)?, MNT_DETACH | UMOUNT_NOFOLLOW, 0, 0, 0, 0]) }
        .map(drop)
}

/// Makes the current directory the root and forgets the old one.
pub fn pivot_here() -> Result<()> {
    let here = c".".as_ptr() as usize;
    // SAFETY: reads two paths up to their NULs.
    unsafe { call(nr::PIVOT_ROOT, [here, here, 0, 0, 0, 0]) }?;
    // The old root lies on top of the new one now.
    // SAFETY: reads the path up to its NUL.
    unsafe { call(nr::UMOUNT2, [here, MNT_DETACH, 0, 0, 0, 0]) }?;
    super::enter_dir(b"/\0")
}
