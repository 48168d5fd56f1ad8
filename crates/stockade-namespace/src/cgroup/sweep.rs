//! Removing what processes that died roughly left behind.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::name::Name;
use super::remove::{children, remove};
use super::{Parent, files};

/// How long one stale directory may take.
const PATIENCE: Duration = Duration::from_millis(200);

/// Removes base directories under `parents` whose owner and whose warden are gone; tells how
/// many. Whatever has another name, is a symbolic link, has a living owner or is locked stays.
/// What cannot be removed is left for the next time.
pub(crate) fn sweep(parents: &[Parent]) -> usize {
    parents.iter().map(|parent| sweep_parent(parent).unwrap_or(0)).sum()
}

fn sweep_parent(parent: &Parent) -> io::Result<usize> {
    let above = files::open_directory(&parent.dir)?;
    let mut removed = 0;
    for child in children(above.as_fd())? {
        if !Name::parse(&child).is_some_and(|name| name.is_orphan()) {
            continue;
        }
        let Ok(dir) = files::open_child(&above, &child) else { continue };
        // An owner in another pid namespace looks dead from here, but it holds the lock.
        if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok()
            && remove(above.as_fd(), &child, dir.as_fd(), PATIENCE).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}
