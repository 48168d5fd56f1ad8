//! The root that layers are unpacked into, and the way to an entry's directory in it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::io::Errno;

use super::Meter;
use super::directory::{self, IN_ROOT, OURS, PLACE, PLAIN, READ};
use super::error::{LayerError, Refusal, Trouble};
use super::modes::Modes;
use super::name::{Name, components};
use super::own::Own;

/// Symbolic links on one way, as many as the kernel follows.
const LINKS: u32 = 40;

/// Mode of a directory that no entry describes.
const IMPLIED: Mode = Mode::from_raw_mode(0o755);

/// A directory of the tree, to name what is in it.
pub(super) struct Directory {
    pub(super) place: OwnedFd,
    pub(super) inode: u64,
}

impl Directory {
    fn new(place: OwnedFd) -> rustix::io::Result<Self> {
        let inode = directory::inode(&place)?;
        Ok(Self { place, inode })
    }
}

pub(super) struct Tree {
    pub(super) root: OwnedFd,
    pub(super) own: Own,
    pub(super) modes: Modes,
    pub(super) meter: Meter,
    /// The directory of the entry before, and the path that led to it. As long as nothing is removed,
    /// the path leads there.
    last: Option<(Vec<u8>, Arc<Directory>)>,
}

impl Tree {
    pub(super) fn new(root: impl AsFd, meter: Meter) -> Result<Self, LayerError> {
        let failed = |errno: Errno| LayerError::Root { source: errno.into() };
        let readable = directory::open(&root, b"", READ, PLAIN).map_err(failed)?;
        if !directory::some(&readable).map_err(failed)?.is_empty() {
            return Err(LayerError::RootNotEmpty);
        }
        let root = directory::open(&root, b"", PLACE, PLAIN).map_err(failed)?;
        let mut own = Own::default();
        own.made(directory::inode(&root).map_err(failed)?);
        Ok(Self { root, own, modes: Modes::default(), meter, last: None })
    }

    /// The directory that `name` is in, made with those above it where they are missing.
    pub(super) fn parent(&mut self, name: &Name<'_>) -> Result<Arc<Directory>, Trouble> {
        let path = name.parent();
        if let Some(known) = self.remembered(&path) {
            return Ok(known);
        }
        let place = match directory::open(&self.root, &path, PLACE, IN_ROOT) {
            Err(Errno::NOENT) => self.make(&path)?,
            other => other.map_err(lost)?,
        };
        self.remember(path, place)
    }

    /// The directory that `name` is in, if it exists.
    pub(super) fn existing_parent(
        &mut self,
        name: &Name<'_>,
    ) -> Result<Option<Arc<Directory>>, Trouble> {
        let path = name.parent();
        if let Some(known) = self.remembered(&path) {
            return Ok(Some(known));
        }
        match directory::open(&self.root, &path, PLACE, IN_ROOT) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            other => self.remember(path, other.map_err(lost)?).map(Some),
        }
    }

    fn remembered(&self, path: &[u8]) -> Option<Arc<Directory>> {
        self.last.as_ref().filter(|(known, _)| known == path).map(|(_, found)| found.clone())
    }

    fn remember(&mut self, path: Vec<u8>, place: OwnedFd) -> Result<Arc<Directory>, Trouble> {
        let found = Arc::new(
            Directory::new(place).map_err(Trouble::failed("look at the parent directory"))?,
        );
        self.last = Some((path, found.clone()));
        Ok(found)
    }

    /// To be called when something was removed: paths may lead elsewhere now.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// The directory at `path`, component by component, making what is missing. Links are followed within
    /// the root, also those that lead to what does not exist yet: it is made there, as container engines
    /// do.
    fn make(&mut self, path: &[u8]) -> Result<OwnedFd, Trouble> {
        let mut ahead: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        // Where we are, without links and without `..`.
        let mut here: Vec<Vec<u8>> = Vec::new();
        let mut at = self.descend(&here)?;
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == b".." {
                here.pop();
                at = self.descend(&here)?;
                continue;
            }
            match directory::open(&at, &part, PLACE, PLAIN) {
                Ok(next) => {
                    at = next;
                    here.push(part);
                }
                Err(Errno::NOENT) => {
                    here.push(part);
                    at = self.make_one(&at, &here)?;
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    links += 1;
                    if links > LINKS {
                        return Err(Refusal::ParentLoop.into());
                    }
                    let target = target(&at, &part)?;
                    if target.starts_with(b"/") {
                        here.clear();
                        at = self.descend(&here)?;
                    }
                    ahead.extend(components(&target).rev().map(<[u8]>::to_vec));
                }
                Err(errno) => return Err(lost(errno)),
            }
        }
        Ok(at)
    }

    fn descend(&self, path: &[Vec<u8>]) -> Result<OwnedFd, Trouble> {
        directory::open(&self.root, &path.join(&b'/'), PLACE, PLAIN).map_err(lost)
    }

    /// Makes the last directory of `path` in `parent`.
    fn make_one(&mut self, parent: &OwnedFd, path: &[Vec<u8>]) -> Result<OwnedFd, Trouble> {
        let bound = self.meter.bounds.depth;
        if path.len() > bound {
            return Err(Refusal::TooDeep { depth: path.len(), bound }.into());
        }
        self.meter.count()?;
        let failed = Trouble::failed("make its parent directory");
        let Some(name) = path.last() else { return Err(Refusal::Root.into()) };
        rustix::fs::mkdirat(parent, name.as_slice(), OURS).map_err(&failed)?;
        let made = directory::open(parent, name, PLACE, PLAIN).map_err(&failed)?;
        let inode = directory::inode(&made).map_err(&failed)?;
        // Not as put by the layer: what the directory is made for keeps it from being removed.
        self.own.made(inode);
        self.modes.note(inode, path.join(&b'/'), IMPLIED, None, self.meter.bounds.names)?;
        Ok(made)
    }
}

/// What the link says, or that it is none.
fn target(parent: &OwnedFd, name: &[u8]) -> Result<Vec<u8>, Trouble> {
    match rustix::fs::readlinkat(parent, name, Vec::new()) {
        Ok(target) => Ok(target.into_bytes()),
        Err(Errno::INVAL) => Err(Refusal::ParentKind.into()),
        Err(errno) => Err(lost(errno)),
    }
}

/// The way to an entry's directory does not lead there.
pub(super) fn lost(errno: Errno) -> Trouble {
    match errno {
        Errno::NOTDIR => Refusal::ParentKind.into(),
        Errno::LOOP => Refusal::ParentLoop.into(),
        _ => Trouble::failed("reach its parent directory")(errno),
    }
}
