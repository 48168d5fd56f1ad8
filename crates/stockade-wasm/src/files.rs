//! The files a guest sees: the policy's mounts as one tree, walked by us, component by component.
//!
//! [`Layout`] is made once per `prepare`, [`Files`] once per run, and a [`Descriptor`] is what the
//! guest has open. Both versions of WASI are written against these three.
//!
//! A path that is seen from `/` and whose first name `/` does not have starts in the policy's
//! working directory: a guest's C library cannot tell `name` from `/name`.

mod base;
mod content;
mod device;
mod errno;
mod host;
mod layout;
mod ledger;
mod listing;
mod memory;
mod names;
mod object;
mod open;
mod pages;
mod source;
mod walk;

use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use errno::{Errno, FileError, Outcome};
pub(crate) use layout::Layout;

use ledger::{Ledger, Ticket};
use listing::Cursor;
use memory::{Inode, Tree};
use object::device_of_tree;
use walk::Spot;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileType {
    Directory,
    Regular,
    Symlink,
    CharacterDevice,
    Other,
}

/// What is told about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) kind: FileType,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) accessed: SystemTime,
    pub(crate) modified: SystemTime,
    pub(crate) changed: SystemTime,
}

/// How a file is to be opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OpenHow {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    /// It must be a directory.
    pub(crate) directory: bool,
    /// A symbolic link at the end of the path is followed.
    pub(crate) follow: bool,
}

/// Where bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    At(u64),
    End,
}

/// What a time of a file is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewTime {
    Keep,
    Now,
    At(SystemTime),
}

/// An entry of a directory, and where to go on after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: FileType,
    pub(crate) inode: u64,
    /// What [`Files::read_dir`] is given for the next entry.
    pub(crate) next: u64,
}

impl NewTime {
    /// What becomes of a time.
    fn over(self, old: SystemTime) -> SystemTime {
        match self {
            Self::Keep => old,
            Self::Now => SystemTime::now(),
            Self::At(new) => new,
        }
    }
}

/// Something a guest has open. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// For a directory, with the way to it.
    spot: Spot,
    /// No two descriptors of a run have the same.
    number: u64,
    read: bool,
    write: bool,
    #[expect(dead_code, reason = "gives its place back when it is dropped")]
    ticket: Ticket,
}

impl Descriptor {
    pub(crate) fn kind(&self) -> FileType {
        self.spot.object.kind()
    }

    pub(crate) fn can_read(&self) -> bool {
        self.read
    }

    /// For a directory: whether what is in it may be changed.
    pub(crate) fn can_write(&self) -> bool {
        match self.kind() {
            FileType::Directory => self.spot.object.is_writable(),
            _ => self.write,
        }
    }
}

/// The files of one run.
#[derive(Debug)]
pub(crate) struct Files {
    layout: Arc<Layout>,
    ledger: Option<Arc<Ledger>>,
    /// The in-memory trees that were looked at.
    trees: Vec<Option<Arc<Inode>>>,
    /// The directory of the host that is being listed.
    cursor: Option<Cursor>,
    /// Names looked up for the path at hand.
    lookups: u32,
}

impl Files {
    /// Costs next to nothing until a guest opens something.
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self { layout, ledger: None, trees: Vec::new(), cursor: None, lookups: 0 }
    }

    /// The policy's working directory.
    pub(crate) fn cwd(&self) -> &str {
        &self.layout.cwd
    }

    /// Which limits refused something, for the verdict of a guest that then fails.
    pub(crate) fn refused(&self) -> Refused {
        self.ledger.as_ref().map(|ledger| ledger.refused()).unwrap_or_default()
    }

    fn ledger(&mut self) -> &Arc<Ledger> {
        let Layout { open_files, grants, .. } = &*self.layout;
        self.ledger.get_or_insert_with(|| Arc::new(Ledger::new(*open_files, grants)))
    }

    /// The top of an in-memory tree.
    fn tree(&mut self, number: usize) -> Arc<Inode> {
        let ledger = Arc::clone(self.ledger());
        self.trees.resize(self.layout.trees.len(), None);
        let share = self.layout.trees[number];
        let tree = || Arc::new(Tree { device: device_of_tree(number), share, ledger });
        Arc::clone(self.trees[number].get_or_insert_with(|| Inode::root(tree())))
    }
}

/// What the limits on files refused so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The most files that were open, if one more was refused.
    pub(crate) open_files: Option<u64>,
    /// Bytes on disk, if more were refused.
    pub(crate) disk: Option<u64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
