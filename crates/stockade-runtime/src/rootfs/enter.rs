//! From the host's root into the container's.

use std::fs::read_to_string;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, open, statx,
};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount};
use rustix::process::{chdir, chroot, fchdir, pivot_root};
use rustix::stdio;

use super::Step;
use super::detached::{self, Detached, Filesystem};
use super::devices;
use super::options::{NODEV, NOEXEC, NOSUID, Propagation, RDONLY, Reach, SLAVE};
use super::tree::{Tree, lookup};
use crate::failure::Context;

/// Makes the tree the root and lets go of the one before. With `may_tell`, others would hear of
/// what is unmounted with that, and must not.
pub(super) fn pivot(tree: &Tree, may_tell: bool) -> Step<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = may_tell.then(|| open("/", flags, Mode::empty())).transpose()?;
    fchdir(tree.root())?;
    pivot_root(".", ".").context(|| "pivot_root".into())?;
    if let Some(old) = old {
        let slave = Propagation { kind: SLAVE, reach: Reach::Tree };
        detached::propagate(&old, slave)
            .context(|| "changing the propagation of the old root".into())?;
    }
    // The old root lies over the new one now, where this process is.
    unmount(".", UnmountFlags::DETACH).context(|| "unmounting the old root".into())?;
    Ok(chdir("/")?)
}

/// Moves the tree over the root. The host's mounts stay underneath, so every full procfs and sysfs
/// among them goes first: a container in a user namespace could mount its own by their leave.
pub(super) fn move_root(tree: &Tree) -> Step<()> {
    let own = std::fs::read_link(format!("/proc/self/fd/{}", tree.root().as_raw_fd()))?;
    let mounts = read_to_string("/proc/self/mountinfo")?;
    let mut full: Vec<PathBuf> = mounts.lines().filter_map(full_mount).collect();
    // What lies on others goes first.
    full.reverse();
    for place in full.iter().filter(|place| !place.starts_with(&own)) {
        let slave = Propagation { kind: SLAVE, reach: Reach::Tree };
        mount_change(place, detached::propagation_flags(slave))?;
        match unmount(place, UnmountFlags::DETACH) {
            // One that came with the user namespace: it can only be covered.
            Err(Errno::INVAL | Errno::PERM) => cover(place)?,
            result => result?,
        }
    }
    fchdir(tree.root())?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(tree.root(), "", CWD, "/", flags).context(|| "moving the root".into())?;
    chroot(".")?;
    Ok(chdir("/")?)
}

fn cover(place: &Path) -> Step<()> {
    let attributes = RDONLY | NOSUID | NODEV | NOEXEC;
    let empty = Filesystem { kind: "tmpfs", source: "tmpfs", attributes, ..Default::default() };
    let target = lookup(CWD, place, OFlags::PATH, ResolveFlags::empty())?;
    Detached::filesystem(&empty, place)?.attach(&target)?;
    Ok(())
}

/// Where a line of `mountinfo` has a procfs or a sysfs.
fn full_mount(line: &str) -> Option<PathBuf> {
    let (place, filesystem) = line.split_once(" - ")?;
    let kind = filesystem.split(' ').next()?;
    let place = place.split(' ').nth(4)?;
    matches!(kind, "proc" | "sysfs").then(|| unescape(place).into())
}

/// The kernel writes blanks and backslashes as octal numbers.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The root of the mount that a directory is in.
pub(super) fn mount_of(directory: &OwnedFd) -> Step<OwnedFd> {
    let mut here = directory.try_clone()?;
    loop {
        let found = statx(&here, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
        if found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Ok(here);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        here = lookup(here.as_fd(), "..", flags, ResolveFlags::empty())?;
    }
}

/// Standard streams that are the host's null device become the container's.
pub(super) fn replace_null(tree: &Tree) -> Step<()> {
    let mut null: Option<OwnedFd> = None;
    for stream in 0..3 {
        let is_null = match stream {
            0 => devices::is_null(stdio::stdin()),
            1 => devices::is_null(stdio::stdout()),
            _ => devices::is_null(stdio::stderr()),
        };
        // A stream may be closed.
        if is_null != Ok(true) {
            continue;
        }
        let own = match null.take() {
            Some(null) => null,
            None => devices::null(tree, OFlags::RDWR)?,
        };
        match stream {
            0 => stdio::dup2_stdin(&own)?,
            1 => stdio::dup2_stdout(&own)?,
            _ => stdio::dup2_stderr(&own)?,
        }
        null = Some(own);
    }
    Ok(())
}
