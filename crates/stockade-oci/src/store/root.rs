//! From layers to a root directory.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use stockade_core::{Error, Policy, Program, Result};

use super::directory::{ROOTS, beneath};
use super::going::{Asking, stopped};
use super::load::LARGEST_LAYER;
use super::lock::Lock;
use super::workshop::{Workshop, open_directory};
use super::{Store, StoreError};
use crate::digest::{Size, Verifier};
use crate::image::{Image, Layer};
use crate::layer::{Bounds, Unpacker};

/// The root directory within what is locked and renamed: its mode is the image's.
const TREE: &str = "root";
/// Directories that a root must have, with the permission bits they get.
const NEEDED: [(&str, u32); 3] = [("dev", 0o755), ("proc", 0o555), ("tmp", 0o1777)];

/// An image and its root directory, which stays as long as this value lives: the image, ready to be run.
///
/// The directory is shared by everyone who uses the image: nobody may write to it.
#[derive(Debug)]
pub struct Root {
    image: Image,
    path: PathBuf,
    /// The directory around it, locked.
    _lock: OwnedFd,
}

impl Root {
    /// The directory, for [`Base::Rootfs`](stockade_core::Base::Rootfs).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the image says of itself.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Puts into a policy what the image says: its root, its environment and its working directory. What is
    /// changed in the policy afterwards counts more.
    ///
    /// The root is [one to write to](stockade_core::Base::WritableRootfs), as the programs of images expect;
    /// what is written is in memory and gone with the run. [`Base::Rootfs`](stockade_core::Base::Rootfs) of
    /// [`path`](Self::path) makes it read-only. The image's variables stand beside those that the policy has,
    /// and in place of those with the same names. Ports, volumes and the user are not followed.
    pub fn apply_to(&self, policy: &mut Policy) {
        self.image.apply_to(&self.path, policy);
    }

    /// What runs: the image's own command, or its entrypoint with the words of the user. It is a native
    /// program, whatever the host has under its name.
    ///
    /// # Errors
    /// [`InvalidPolicy`](stockade_core::ErrorKind::InvalidPolicy) if nobody says what to run.
    pub fn program(&self, words: &[OsString]) -> Result<Program> {
        let (name, args) = self.image.command(words)?;
        Ok(Program::executable(name).args(args))
    }
}

pub(super) fn root(store: &Store, image: &Image) -> Result<Root> {
    let name = image.digest().file_name();
    let roots = beneath(store, ROOTS)?;
    let lock = Lock::shared(store)?;
    if let Some(root) = existing(store, &roots, image)? {
        return Ok(root);
    }
    // Open files stay, whatever others remove meanwhile.
    let open =
        |layer: &Layer| store.blobs.open(&layer.descriptor).map(|file| (layer.clone(), file));
    let layers = image.layers.iter().map(open).collect::<Result<Vec<_>>>()?;
    let workshop = Workshop::new(store, &lock)?;
    drop(lock);

    let made = make(&workshop, &name).map_err(|errno| store.failed("make a directory", errno))?;
    let (around, tree) = made;
    let mut unpacker = Unpacker::new(&tree, Bounds::default())?;
    for (layer, file) in layers {
        apply(store, &mut unpacker, &layer, file)?;
    }
    complete(&tree, &image.config.working_dir)
        .map_err(|errno| store.failed("make a directory of the image's", errno))?;
    // A crash of the machine must not leave a root whose files are empty.
    rustix::fs::syncfs(&tree).map_err(|errno| store.failed("wait for the disk", errno))?;

    // It is locked before others can see it.
    rustix::fs::flock(&around, FlockOperation::NonBlockingLockShared)
        .map_err(|errno| store.failed("lock a directory", errno))?;
    let lock = Lock::shared(store)?;
    let from = workshop.directory();
    match rustix::fs::renameat_with(from, &name, &roots, &name, RenameFlags::NOREPLACE) {
        Ok(()) => {
            rustix::fs::fsync(&roots).map_err(|errno| store.failed("wait for the disk", errno))?;
            Ok(Root { image: image.clone(), path: path(store, &name), _lock: around })
        }
        Err(errno) => {
            // Somebody else was faster.
            let root = existing(store, &roots, image)?;
            drop(lock);
            root.ok_or_else(|| store.failed("put a directory in place", errno))
        }
    }
}

fn path(store: &Store, name: &str) -> PathBuf {
    store.path().join(ROOTS).join(name).join(TREE)
}

/// A root that was made before. A lock on the store is held, so nobody is removing it.
fn existing(store: &Store, roots: &OwnedFd, image: &Image) -> Result<Option<Root>> {
    let name = image.digest().file_name();
    match open_directory(roots, &name) {
        Ok(around) => {
            rustix::fs::flock(&around, FlockOperation::NonBlockingLockShared)
                .map_err(|errno| store.failed("lock a directory", errno))?;
            Ok(Some(Root { image: image.clone(), path: path(store, &name), _lock: around }))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(store.failed("open a directory", errno)),
    }
}

/// An empty root directory, and the one around it.
fn make(workshop: &Workshop<'_>, name: &str) -> Result<(OwnedFd, OwnedFd), Errno> {
    rustix::fs::mkdirat(workshop.directory(), name, Mode::RWXU)?;
    let around = open_directory(workshop.directory(), name)?;
    rustix::fs::mkdirat(&around, TREE, Mode::RWXU)?;
    let tree = open_directory(&around, TREE)?;
    rustix::fs::fchmod(&tree, Mode::from_raw_mode(0o755))?;
    Ok((around, tree))
}

fn apply(
    store: &Store,
    unpacker: &mut Unpacker,
    layer: &Layer,
    file: Verifier<File>,
) -> Result<()> {
    let diff_id = layer.diff_id.clone();
    // The digest of what is uncompressed covers the other one.
    let bytes = layer.compression.reader(file.into_unverified());
    let verifier = Verifier::new(bytes, diff_id, Size::AtMost(LARGEST_LAYER));
    let mut asking = Asking::new(verifier, store);
    let applied = unpacker.apply(&mut asking);
    // What follows the end of an archive counts as well.
    let rest = applied.is_ok().then(|| std::io::copy(&mut asking, &mut std::io::sink()));
    if asking.stopped {
        return Err(stopped());
    }
    let verifier = asking.into_inner();
    if let Some(mismatch) = verifier.mismatch() {
        return Err(Error::from(mismatch.clone()).with_hint(
            "the image is malformed, or the store was damaged: remove it, collect garbage, load it again",
        ));
    }
    applied?;
    match rest {
        Some(Err(source)) => {
            Err(StoreError::Layer { layer: layer.descriptor.digest.clone(), source }.into())
        }
        _ => Ok(()),
    }
}

/// Makes what a sandbox needs and an image may lack.
fn complete(tree: &OwnedFd, working_dir: &str) -> Result<(), Errno> {
    // An image may forbid its owner to write, who is this user.
    let mode = Mode::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
    rustix::fs::fchmod(tree, mode | Mode::RWXU)?;
    for (name, mode) in NEEDED {
        match rustix::fs::statat(tree, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => continue,
            // The sandbox puts its own there in any case.
            Ok(_) => rustix::fs::unlinkat(tree, name, AtFlags::empty())?,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        directory(tree.as_fd(), name, mode)?;
    }
    make_working_dir(tree, working_dir)
}

fn directory(at: BorrowedFd<'_>, name: &str, mode: u32) -> Result<(), Errno> {
    rustix::fs::mkdirat(at, name, Mode::RWXU)?;
    rustix::fs::fchmod(open_directory(at, name)?, Mode::from_raw_mode(mode))
}

/// Makes the working directory, as other engines do. Where something else stands in the way, the start of
/// a program tells.
fn make_working_dir(tree: &OwnedFd, working_dir: &str) -> Result<(), Errno> {
    let inside = |path: &str| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(tree, path, flags, Mode::empty(), resolve)
    };
    let mut at = inside("/")?;
    let mut path = String::new();
    for part in working_dir.split('/').filter(|part| !part.is_empty()) {
        path.push('/');
        path.push_str(part);
        at = match inside(&path) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                match directory(at.as_fd(), part, 0o755) {
                    Ok(()) => {}
                    Err(Errno::EXIST | Errno::ACCESS | Errno::NAMETOOLONG) => return Ok(()),
                    Err(errno) => return Err(errno),
                }
                inside(&path)?
            }
            Err(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::NAMETOOLONG) => return Ok(()),
            Err(errno) => return Err(errno),
        };
    }
    Ok(())
}
