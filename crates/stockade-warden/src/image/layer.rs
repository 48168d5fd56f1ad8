//! Roots that the program may write to: over the root's directory of the host lies a layer in memory,
//! new in every run, which takes what is written.
//!
//! Overlayfs makes the two one. Where it cannot, the layer is a copy of the directory. Either way the
//! layer is part of the scratch space, whose bounds it shares, and the directory stays as it is.

use crate::board::Board;
use crate::copy;
use crate::setup::{Birth, mount, resolve};
use crate::sys::{
    self, Cloned, Errno, Fd, NODEV, NOSUID, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, Result,
};
use crate::wire::board::{Layer, Word};
use crate::wire::plan::Writable;

/// Parts of the scratch space. None is a name of what [`crate::setup`] has there.
const UPPER: &[u8] = b"upper\0";
const WORK: &[u8] = b"work\0";
const LOWER: &[u8] = b"lower\0";

/// Permission bits that a directory keeps.
const MODE: u32 = 0o1777;

/// Makes the root of this process one that can be written to, and gives it. `scratch` is attached over
/// the old one.
pub fn add(birth: &Birth, writable: Writable<'_>, root: Fd, scratch: Fd) -> Result<Fd> {
    let Writable { uid, gid, mut mounts } = writable;
    let (layer, made) = match overlay(birth, root, scratch) {
        Err(errno) if is_refusal(errno) => (copied(birth, (uid, gid), root, scratch)?, Layer::Copy),
        other => other?,
    };
    sys::attach(layer, root)?;
    let mut index = 0;
    while !mounts.is_empty() {
        birth.board.item(index);
        index += 1;
        let path = mounts.c_str().ok_or(Errno::EPROTO)?;
        let held = resolve(root, path)?;
        let moved = mount(layer, held, path);
        sys::close(held);
        moved?;
    }
    // What it lies on stays mounted beneath, where no path leads: the directory, read-only, and the whole of
    // the scratch space.
    sys::enter_dir_fd(layer)?;
    sys::change_root(b".\0")?;
    birth.board.set(Word::ReadLayer, made as u64);
    Ok(layer)
}

/// What a kernel answers that has no overlayfs, or none for this directory, or none for this user: it
/// is not there, a filter or a policy of the host's refuses it, ids cannot be mapped on the directory's
/// filesystem, or nothing can be layered over it.
fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::ENODEV | Errno::EPERM | Errno::EINVAL)
}

/// The overlay, not attached anywhere, and of which kind it is.
fn overlay(birth: &Birth, root: Fd, scratch: Fd) -> Result<(Fd, Layer)> {
    let lower: &[u8] = if birth.single_id {
        b"/\0"
    } else {
        // A copy of the mount, in which what its owner may do the workload may.
        let copy = sys::clone_mount(b"/\0")?;
        sys::set_id_map(copy, birth.root_map)?;
        sys::make_dir(scratch, LOWER, 0o700)?;
        mount(scratch, copy, LOWER)?;
        sys::close(copy);
        LOWER
    };
    place(birth, root, scratch, UPPER)?;
    sys::make_dir(scratch, WORK, 0o700)?;
    // Names alone, in a directory that nobody else can reach: no path that something could stand in
    // the way of.
    sys::enter_dir_fd(scratch)?;
    // No option may make it follow what a file of the directory's claims to be.
    let mut options: [(&[u8], &[u8]); 8] = [
        (b"lowerdir\0", lower),
        (b"upperdir\0", UPPER),
        (b"workdir\0", WORK),
        (b"redirect_dir\0", b"nofollow\0"),
        (b"metacopy\0", b"off\0"),
        (b"index\0", b"off\0"),
        (b"xino\0", b"off\0"),
        (b"userxattr\0", b""),
    ];
    let (kind, privileged) = attributes();
    let count = options.len() - usize::from(privileged);
    let options = options.get_mut(..count).unwrap_or_default();
    Ok((sys::new_filesystem(b"overlay\0", options, NOSUID | NODEV)?, kind))
}

/// Whether the layer has extended attributes for the overlay's notes, and whether in names that only
/// root of the machine can use. Elsewhere they are a user's, which files in memory have since Linux 6.6.
fn attributes() -> (Layer, bool) {
    let mut privileged = true;
    let mut set = sys::set_attribute(WORK, b"trusted.overlay.w\0", b"y");
    if set == Err(Errno::EPERM) {
        privileged = false;
        set = sys::set_attribute(WORK, b"user.overlay.w\0", b"y");
    }
    let bare = set == Err(Errno::EOPNOTSUPP);
    (if bare { Layer::BareOverlay } else { Layer::Overlay }, privileged)
}

/// Makes the directory that takes what is written. Its own mode and owner are those of `/`.
fn place(birth: &Birth, root: Fd, scratch: Fd, name: &[u8]) -> Result<()> {
    sys::make_dir(scratch, name, sys::stat_fd(root)?.mode & MODE)?;
    if birth.single_id {
        return Ok(());
    }
    let dir = sys::open_at(scratch, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
    let result = sys::chown(dir, birth.work_id_outside, birth.work_id_outside);
    sys::close(dir);
    result
}

/// A copy of the directory, not attached anywhere.
fn copied(birth: &Birth, owner: (u32, u32), root: Fd, scratch: Fd) -> Result<Fd> {
    match place(birth, root, scratch, UPPER) {
        Err(Errno::EEXIST) => {}
        other => other?,
    }
    // The one mount, without what lies over it.
    let mount = sys::clone_mount(b"/\0")?;
    let from = sys::open_at(mount, b".\0", O_RDONLY | O_DIRECTORY, 0)?;
    let to = sys::open_at(scratch, UPPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
    let owners =
        copy::Owners { from: (!birth.single_id).then_some(owner), to: birth.work_id_outside };
    within_limits(birth, |board| copy::tree(board, from, to, owners))?;
    [mount, from, to].into_iter().for_each(sys::close);
    sys::clone_tree(scratch, UPPER)
}

/// Does something in a process of its own that is in the workload's cgroups, so that the memory it
/// takes is the workload's.
fn within_limits(birth: &Birth, work: impl FnOnce(Board) -> Result<()>) -> Result<()> {
    let board = birth.board;
    let unified = (birth.groups.unified != 0).then_some(birth.groups.unified);
    match sys::clone(0, false, unified)? {
        Cloned::Child => {
            let done = birth.groups.join().and_then(|()| work(board));
            sys::exit(done.err().map_or(0, |errno| errno.0))
        }
        Cloned::Parent { pid, .. } => {
            let status = sys::reap(pid, true)?.map_or(0, |reaped| reaped.status);
            match (status >> 8 & 0xff, status & 0x7f) {
                (0, 0) => Ok(()),
                (errno, 0) => Err(Errno(errno as i32)),
                // The kernel has killed it for want of memory, or somebody else has.
                _ => Err(Errno::ENOMEM),
            }
        }
    }
}
