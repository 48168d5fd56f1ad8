//! What the layer at hand has put into the tree, as against those below: whiteouts are about the latter.
//!
//! Directories are known by their inodes and not by their paths, of which one may have many. An inode's
//! number that comes back within a layer is that of something the layer put there, which is all that is
//! asked.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::ffi::CString;
use std::hash::BuildHasher;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::directory::{self, PLACE, PLAIN, READ};

#[derive(Default)]
pub(super) struct Own {
    /// Directories with nothing of a lower layer in them.
    clean: HashSet<u64>,
    /// Entries of other directories, each as the directory and the hash of its name.
    put: HashSet<(u64, u64)>,
    hasher: RandomState,
}

impl Own {
    /// Notes a directory that the layer made, which is empty.
    pub(super) fn made(&mut self, directory: u64) {
        self.clean.insert(directory);
    }

    /// Notes an entry that the layer put into `directory`.
    pub(super) fn put(&mut self, directory: u64, name: &[u8]) {
        if !self.clean.contains(&directory) {
            self.put.insert((directory, self.hasher.hash_one(name)));
        }
    }

    pub(super) fn is_clean(&self, directory: u64) -> bool {
        self.clean.contains(&directory)
    }

    /// Whether the layer put an entry into a directory that is not clean.
    pub(super) fn has_put(&self, directory: u64, name: &[u8]) -> bool {
        self.put.contains(&(directory, self.hasher.hash_one(name)))
    }

    /// Begins with the next layer: all that is there is of a lower one.
    pub(super) fn next_layer(&mut self) {
        self.clean.clear();
        self.put.clear();
    }

    /// Removes what lower layers have beneath `top`, at any depth. A directory of theirs stays if this
    /// layer has put something into it.
    ///
    /// What was clean stays so and is not read again, so that many whiteouts cost no more than one.
    pub(super) fn prune(&mut self, top: &OwnedFd) -> rustix::io::Result<()> {
        let inode = directory::inode(top)?;
        if self.is_clean(inode) {
            return Ok(());
        }
        let mut path = Vec::new();
        let mut levels = vec![self.visit(top, inode, 0)?];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.directories.pop() else {
                let inode = level.inode;
                let starts = level.starts;
                levels.pop();
                // Before it is marked, since it is removed only if nothing in it is of this layer.
                if let Some(above) = levels.last() {
                    let name = path.split_off(starts);
                    let name = name.strip_prefix(b"/").unwrap_or(&name);
                    self.drop_if_empty(top, &path, above.inode, name)?;
                }
                self.clean.insert(inode);
                continue;
            };
            let starts = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let child = directory::open(top, &path, READ, PLAIN)?;
            let inode = directory::inode(&child)?;
            let level = match self.is_clean(inode) {
                true => Level { inode, starts, directories: Vec::new() },
                false => self.visit(&child, inode, starts)?,
            };
            levels.push(level);
        }
        Ok(())
    }

    /// Removes what is no directory, and lists the directories.
    fn visit(
        &mut self,
        directory: &OwnedFd,
        inode: u64,
        starts: usize,
    ) -> rustix::io::Result<Level> {
        let mut directories = Vec::new();
        directory::read(directory, |name, is_directory| {
            if is_directory {
                directories.push(name);
            } else if !self.has_put(inode, name.to_bytes()) {
                rustix::fs::unlinkat(directory, &name, AtFlags::empty())?;
            }
            Ok(true)
        })?;
        Ok(Level { inode, starts, directories })
    }

    /// Removes a directory of a lower layer, unless something of this one is in it.
    fn drop_if_empty(
        &mut self,
        top: &OwnedFd,
        parent: &[u8],
        parent_inode: u64,
        name: &[u8],
    ) -> rustix::io::Result<()> {
        if self.has_put(parent_inode, name) {
            return Ok(());
        }
        let parent = directory::open(top, parent, PLACE, PLAIN)?;
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            other => other,
        }
    }
}

/// A directory on the way to where the pruning is.
struct Level {
    inode: u64,
    /// Where its name starts in the path, with the slash before it.
    starts: usize,
    /// Directories in it that are still to be visited.
    directories: Vec<CString>,
}
