//! Removing what no image needs.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;
use stockade_core::Result;

use super::Store;
use super::directory::{PART, ROOTS, TMP, beneath};
use super::index::Index;
use super::lock::Lock;
use super::workshop::{fresh_name, open_directory};
use crate::digest::{Algorithm, Digest};
use crate::layer::remove_tree;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Freed {
    /// How many blobs.
    pub blobs: usize,
    /// How many root directories.
    pub roots: usize,
    /// How many unfinished things of processes that are dead, and blobs of which only a part came.
    pub unfinished: usize,
    /// How many bytes the blobs had, without those that another process is loading.
    pub bytes: u64,
}

/// Things in `tmp/` that are locked here and can go.
type Doomed = Vec<(String, OwnedFd)>;

pub(super) fn collect(store: &Store) -> Result<Freed> {
    let mut freed = Freed::default();
    let tmp = beneath(store, TMP)?;
    let doomed = {
        let lock = Lock::exclusive(store)?;
        let (blobs, images) = needed(store, &lock)?;
        // Before roots are moved there.
        let mut doomed = unfinished(store, &tmp)?;
        freed.unfinished = doomed.len() + remove_parts(store, &tmp)?;
        for algorithm in Algorithm::ALL {
            remove_blobs(store, algorithm, &blobs, &mut freed)?;
        }
        let roots = unneeded_roots(store, &tmp, &images)?;
        freed.roots = roots.len();
        doomed.extend(roots);
        doomed
    };
    // What is locked is nobody else's, so others need not wait for this.
    for (name, _locked) in doomed {
        remove_tree(tmp.as_fd(), name.as_ref())?;
    }
    Ok(freed)
}

/// Every blob that an image needs, and every image.
fn needed(store: &Store, lock: &Lock) -> Result<(BTreeSet<Digest>, BTreeSet<Digest>)> {
    let (mut blobs, mut images) = (BTreeSet::new(), BTreeSet::new());
    for (_, descriptor) in Index::read(store, lock)?.entries {
        let manifest = store.manifest(&descriptor)?;
        blobs.insert(manifest.config.digest);
        blobs.extend(manifest.layers.into_iter().map(|(layer, _)| layer.digest));
        blobs.insert(descriptor.digest.clone());
        images.insert(descriptor.digest);
    }
    Ok((blobs, images))
}

/// Names in a directory.
fn names(store: &Store, directory: &OwnedFd) -> Result<Vec<String>> {
    let list = || {
        let entries = Dir::read_from(directory)?
            .map(|entry| Ok::<_, Errno>(entry?.file_name().to_str().ok().map(str::to_owned)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        // A name that is no text is not ours.
        let names = entries.into_iter().flatten().filter(|name| name != "." && name != "..");
        Ok(names.collect())
    };
    list().map_err(|errno: Errno| store.failed("list a directory", errno))
}

fn remove_blobs(
    store: &Store,
    algorithm: Algorithm,
    needed: &BTreeSet<Digest>,
    freed: &mut Freed,
) -> Result<()> {
    let directory = beneath(store, &format!("blobs/{}", algorithm.name()))?;
    for name in names(store, &directory)? {
        let digest = Digest::from_parts(algorithm, &name);
        if digest.is_none_or(|digest| needed.contains(&digest)) {
            continue;
        }
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW);
        rustix::fs::unlinkat(&directory, &name, AtFlags::empty())
            .map_err(|errno| store.failed("remove a blob", errno))?;
        freed.blobs += 1;
        // A loader may hold another name of it.
        let size = stat.ok().filter(|stat| stat.st_nlink == 1).map_or(0, |stat| stat.st_size);
        freed.bytes = freed.bytes.saturating_add(u64::try_from(size).unwrap_or_default());
    }
    Ok(())
}

/// A directory that nobody has locked, locked.
fn unused(at: &OwnedFd, name: &str) -> Option<OwnedFd> {
    let directory = open_directory(at, name).ok()?;
    let locked = rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive);
    locked.ok().map(|()| directory)
}

fn unfinished(store: &Store, tmp: &OwnedFd) -> Result<Doomed> {
    let names = names(store, tmp)?.into_iter();
    Ok(names.filter_map(|name| unused(tmp, &name).map(|locked| (name, locked))).collect())
}

/// Removes what came of blobs that nobody is fetching, and says of how many.
fn remove_parts(store: &Store, tmp: &OwnedFd) -> Result<usize> {
    let mut removed = 0;
    for name in names(store, tmp)?.iter().filter(|name| name.starts_with(PART)) {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(tmp, name, flags, Mode::empty()) else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            rustix::fs::unlinkat(tmp, name, AtFlags::empty())
                .map_err(|errno| store.failed("remove a file", errno))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Moves roots that no image has and nobody uses to where they can be removed at leisure.
fn unneeded_roots(store: &Store, tmp: &OwnedFd, images: &BTreeSet<Digest>) -> Result<Doomed> {
    let roots = beneath(store, ROOTS)?;
    let needed: BTreeSet<String> = images.iter().map(Digest::file_name).collect();
    let mut doomed = Vec::new();
    for name in names(store, &roots)? {
        if needed.contains(&name) {
            continue;
        }
        let Some(locked) = unused(&roots, &name) else { continue };
        let to = fresh_name(store)?;
        rustix::fs::renameat(&roots, &name, tmp, &to)
            .map_err(|errno| store.failed("move a root directory", errno))?;
        doomed.push((to, locked));
    }
    Ok(doomed)
}
