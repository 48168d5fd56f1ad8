//! Modes and times of directories, which wait: a directory must let us write into it while layers are
//! unpacked, and what is written into it changes its time.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, Timespec, Timestamps};
use rustix::io::Errno;

use super::directory::{self, IN_ROOT, OURS, PLACE, READ};
use super::error::{LayerError, Place, Refusal, Trouble};

/// What a directory gets in the end.
struct Wanted {
    path: Vec<u8>,
    mode: Mode,
    mtime: Option<(i64, u32)>,
}

/// By inode, since a path may lead elsewhere later.
#[derive(Default)]
pub(super) struct Modes {
    waiting: HashMap<u64, Wanted>,
    /// Directories that deny us something, as earlier layers left them.
    sealed: HashMap<u64, Wanted>,
    /// Bytes of the paths in both.
    names: u64,
}

impl Modes {
    /// Notes what the directory at `path` shall get. `bound` is how many bytes of paths can be held.
    pub(super) fn note(
        &mut self,
        inode: u64,
        path: Vec<u8>,
        mode: Mode,
        mtime: Option<(i64, u32)>,
        bound: u64,
    ) -> Result<(), Refusal> {
        self.names += path.len() as u64;
        if let Some(old) = self.waiting.insert(inode, Wanted { path, mode, mtime }) {
            self.names -= old.path.len() as u64;
        }
        if self.names > bound {
            return Err(Refusal::Names { bound });
        }
        Ok(())
    }

    /// Gives us access to what earlier layers denied, for as long as the next one is unpacked.
    pub(super) fn open_up(&mut self, root: &OwnedFd) -> Result<(), LayerError> {
        let mut sealed: Vec<_> = self.sealed.drain().collect();
        // From above, where the way to those beneath is.
        sealed.sort_by_key(|(_, wanted)| wanted.path.len());
        for (inode, wanted) in sealed {
            let opened = reopen(root, inode, &wanted.path).map_err(|errno| {
                Trouble::failed("open the directory")(errno).at(Place::Entry(wanted.path.clone()))
            })?;
            match opened {
                true => {
                    self.waiting.insert(inode, wanted);
                }
                false => self.names -= wanted.path.len() as u64,
            }
        }
        Ok(())
    }

    /// Gives every directory what it shall get.
    pub(super) fn settle(&mut self, root: &OwnedFd) -> Result<(), LayerError> {
        let mut waiting: Vec<_> = self.waiting.drain().collect();
        // Those that deny us something last, and of them the longest path first: no one may be in the way.
        waiting.sort_by_key(|(_, wanted)| {
            let denies = !wanted.mode.contains(OURS);
            (denies, if denies { usize::MAX - wanted.path.len() } else { 0 })
        });
        for (inode, wanted) in waiting {
            settle_one(root, inode, &wanted).map_err(|errno| {
                Trouble::failed("set the directory's mode")(errno)
                    .at(Place::Entry(wanted.path.clone()))
            })?;
            if wanted.mode.contains(OURS) {
                self.names -= wanted.path.len() as u64;
            } else {
                self.sealed.insert(inode, Wanted { mtime: None, ..wanted });
            }
        }
        Ok(())
    }
}

/// Whether the directory is still there, and ours now.
fn reopen(root: &OwnedFd, inode: u64, path: &[u8]) -> rustix::io::Result<bool> {
    // Without permission for the root, not even its `.` can be looked up.
    if path.is_empty() {
        return directory::allow(root).map(|()| true);
    }
    match there(directory::open(root, path, PLACE, IN_ROOT))? {
        Some(place) if directory::inode(&place)? == inode => {
            directory::allow(&place).map(|()| true)
        }
        _ => Ok(false),
    }
}

fn settle_one(root: &OwnedFd, inode: u64, wanted: &Wanted) -> rustix::io::Result<()> {
    let Some(place) = there(directory::open(root, &wanted.path, READ, IN_ROOT))? else {
        return Ok(());
    };
    if directory::inode(&place)? != inode {
        return Ok(());
    }
    // The time first: to set it needs no permission now. That a file system cannot hold it is no reason
    // to fail.
    if let Some(mtime) = wanted.mtime {
        let _ = rustix::fs::futimens(&place, &times(mtime));
    }
    rustix::fs::fchmod(&place, wanted.mode)
}

/// Nothing, if something else has taken the directory's place since.
fn there(opened: rustix::io::Result<OwnedFd>) -> rustix::io::Result<Option<OwnedFd>> {
    match opened {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        other => other.map(Some),
    }
}

/// The time of modification, for that of access too: an image has no other.
pub(super) fn times((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}
