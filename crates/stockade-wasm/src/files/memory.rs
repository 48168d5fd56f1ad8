//! Files in memory: trees of inodes, which live as long as they have a name or are open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use super::errno::{Errno, Outcome};
use super::ledger::Ledger;
use super::pages::{PAGE, Pages};
use super::{Entry, FileType, NewTime, Stat};

/// A symbolic link longer than this is counted as a page, as tmpfs does.
const SHORT_LINK: usize = 128;

/// A writable tree, and the share of the `disk` limit that it takes from.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) device: u64,
    pub(super) share: usize,
    pub(super) ledger: Arc<Ledger>,
}

#[derive(Debug)]
pub(super) struct Inode {
    number: u64,
    tree: Arc<Tree>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    body: Body,
    links: u64,
    accessed: SystemTime,
    modified: SystemTime,
    changed: SystemTime,
}

#[derive(Debug)]
pub(super) enum Body {
    Directory(Directory),
    Regular(Pages),
    Symlink(Box<[u8]>),
}

/// Names in the order in which they were made, which is what cookies count.
#[derive(Debug, Default)]
pub(super) struct Directory {
    places: BTreeMap<Arc<[u8]>, u64>,
    entries: BTreeMap<u64, (Arc<[u8]>, Arc<Inode>)>,
    last: u64,
    parent: Weak<Inode>,
}

impl Directory {
    fn get(&self, name: &[u8]) -> Option<&Arc<Inode>> {
        self.places.get(name).and_then(|place| self.entries.get(place)).map(|(_, inode)| inode)
    }

    fn insert(&mut self, name: &[u8], inode: Arc<Inode>) {
        let name: Arc<[u8]> = name.into();
        self.last += 1;
        self.places.insert(Arc::clone(&name), self.last);
        self.entries.insert(self.last, (name, inode));
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some(place) = self.places.remove(name) {
            self.entries.remove(&place);
        }
    }
}

impl Body {
    fn kind(&self) -> FileType {
        match self {
            Self::Directory(_) => FileType::Directory,
            Self::Regular(_) => FileType::Regular,
            Self::Symlink(_) => FileType::Symlink,
        }
    }

    /// Bytes that are counted.
    fn bytes(&self) -> u64 {
        match self {
            Self::Directory(_) => 0,
            Self::Regular(pages) => pages.bytes_held(),
            Self::Symlink(target) if target.len() > SHORT_LINK => PAGE as u64,
            Self::Symlink(_) => 0,
        }
    }
}

impl State {
    fn touch(&mut self) {
        self.modified = SystemTime::now();
        self.changed = self.modified;
    }

    fn directory(&mut self) -> Result<&mut Directory, Errno> {
        match &mut self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::NotDirectory),
        }
    }

    fn pages(&mut self) -> Result<&mut Pages, Errno> {
        match &mut self.body {
            Body::Regular(pages) => Ok(pages),
            Body::Directory(_) => Err(Errno::IsDirectory),
            Body::Symlink(_) => Err(Errno::Invalid),
        }
    }

    fn take_children(&mut self) -> Vec<Arc<Inode>> {
        match &mut self.body {
            Body::Directory(directory) => {
                std::mem::take(&mut directory.entries).into_values().map(|(_, i)| i).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Inode {
    /// The top of a tree.
    pub(super) fn root(tree: Arc<Tree>) -> Arc<Self> {
        Self::new(tree, Body::Directory(Directory::default()))
    }

    fn new(tree: Arc<Tree>, body: Body) -> Arc<Self> {
        let now = SystemTime::now();
        let state = State { body, links: 1, accessed: now, modified: now, changed: now };
        Arc::new(Self { number: tree.ledger.next_inode(), tree, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kind(&self) -> FileType {
        self.state().body.kind()
    }

    pub(super) fn same_tree(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tree, &other.tree)
    }

    pub(super) fn stat(&self) -> Stat {
        let state = self.state();
        let size = match &state.body {
            Body::Directory(_) => 0,
            Body::Regular(pages) => pages.size(),
            Body::Symlink(target) => target.len() as u64,
        };
        Stat {
            device: self.tree.device,
            inode: self.number,
            kind: state.body.kind(),
            links: state.links,
            size,
            accessed: state.accessed,
            modified: state.modified,
            changed: state.changed,
        }
    }

    pub(super) fn set_times(&self, accessed: NewTime, modified: NewTime) {
        let mut state = self.state();
        state.changed = SystemTime::now();
        state.accessed = accessed.over(state.accessed);
        state.modified = modified.over(state.modified);
    }

    pub(super) fn target(&self) -> Option<Vec<u8>> {
        match &self.state().body {
            Body::Symlink(target) => Some(target.to_vec()),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &[u8]) -> Result<Option<Arc<Self>>, Errno> {
        Ok(self.state().directory()?.get(name).cloned())
    }

    /// The entry after the one with this cookie.
    pub(super) fn entry_after(&self, cookie: u64) -> Result<Option<Entry>, Errno> {
        let next = {
            let mut state = self.state();
            let entries = &state.directory()?.entries;
            let from = cookie.saturating_add(1);
            entries.range(from..).next().map(|(place, (n, i))| (*place, n.to_vec(), i.clone()))
        };
        Ok(next.map(|(next, name, inode)| Entry {
            name,
            kind: inode.kind(),
            inode: inode.number,
            next,
        }))
    }

    /// Makes a file in this directory.
    pub(super) fn create(self: &Arc<Self>, name: &[u8], mut body: Body) -> Outcome<Arc<Self>> {
        let Tree { ledger, share, .. } = &*self.tree;
        self.expect_free(name)?;
        ledger.take_entry(*share)?;
        if let Err(errno) = ledger.take_bytes(*share, body.bytes()) {
            ledger.give_entry(*share);
            return Err(errno.into());
        }
        if let Body::Directory(directory) = &mut body {
            directory.parent = Arc::downgrade(self);
        }
        let inode = Self::new(Arc::clone(&self.tree), body);
        let mut state = self.state();
        state.directory()?.insert(name, Arc::clone(&inode));
        state.touch();
        Ok(inode)
    }

    /// Whether `name` can be made here: nothing has it, and the directory is still there.
    fn expect_free(&self, name: &[u8]) -> Result<(), Errno> {
        let mut state = self.state();
        match (state.links, state.directory()?.get(name)) {
            (0, _) => Err(Errno::NoEntry),
            (_, Some(_)) => Err(Errno::Exist),
            _ => Ok(()),
        }
    }

    /// Gives `inode` one more name, in this directory.
    pub(super) fn link(&self, name: &[u8], inode: &Arc<Self>) -> Outcome<()> {
        self.expect_free(name)?;
        if inode.kind() == FileType::Directory {
            return Err(Errno::NotPermitted.into());
        }
        self.tree.ledger.take_entry(self.tree.share)?;
        let mut linked = inode.state();
        linked.links += 1;
        linked.changed = SystemTime::now();
        drop(linked);
        let mut state = self.state();
        state.directory()?.insert(name, Arc::clone(inode));
        state.touch();
        Ok(())
    }

    /// Takes a name away, from a directory or from anything else.
    pub(super) fn remove(&self, name: &[u8], directory: bool) -> Result<(), Errno> {
        let inode = self.get(name)?.ok_or(Errno::NoEntry)?;
        match (inode.kind(), directory) {
            (FileType::Directory, true) if !inode.is_empty()? => return Err(Errno::NotEmpty),
            (FileType::Directory, false) => return Err(Errno::IsDirectory),
            (FileType::Directory, true) | (_, false) => {}
            (_, true) => return Err(Errno::NotDirectory),
        }
        self.forget(name, &inode)
    }

    fn is_empty(&self) -> Result<bool, Errno> {
        Ok(self.state().directory()?.entries.is_empty())
    }

    fn forget(&self, name: &[u8], inode: &Self) -> Result<(), Errno> {
        let mut state = self.state();
        state.directory()?.remove(name);
        state.touch();
        drop(state);
        let mut gone = inode.state();
        gone.links -= 1;
        gone.changed = SystemTime::now();
        self.tree.ledger.give_entry(self.tree.share);
        Ok(())
    }

    /// Moves a name of this directory into `to`, over what has that name there.
    pub(super) fn rename(&self, name: &[u8], to: &Arc<Self>, new: &[u8]) -> Result<(), Errno> {
        let inode = self.get(name)?.ok_or(Errno::NoEntry)?;
        let directory = inode.kind() == FileType::Directory;
        let replaced = to.get(new)?;
        if replaced.as_ref().is_some_and(|replaced| Arc::ptr_eq(replaced, &inode)) {
            return Ok(());
        }
        if to.state().links == 0 {
            return Err(Errno::NoEntry);
        }
        if directory && inode.holds(to) {
            return Err(Errno::Invalid);
        }
        if replaced.is_some() {
            to.remove(new, directory)?;
        }
        let mut state = self.state();
        state.directory()?.remove(name);
        state.touch();
        drop(state);
        let mut state = to.state();
        state.directory()?.insert(new, Arc::clone(&inode));
        state.touch();
        drop(state);
        let mut state = inode.state();
        state.changed = SystemTime::now();
        if let Body::Directory(moved) = &mut state.body {
            moved.parent = Arc::downgrade(to);
        }
        Ok(())
    }

    /// Whether `other` is this directory or lies in it.
    fn holds(&self, other: &Arc<Self>) -> bool {
        let mut at = Some(Arc::clone(other));
        while let Some(inode) = at {
            if std::ptr::eq(&*inode, self) {
                return true;
            }
            at = inode.state().directory().ok().and_then(|directory| directory.parent.upgrade());
        }
        false
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let mut state = self.state();
        let len = state.pages()?.read(offset, into);
        state.accessed = SystemTime::now();
        Ok(len)
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let Tree { ledger, share, .. } = &*self.tree;
        let mut state = self.state();
        let take = || ledger.take_bytes(*share, PAGE as u64);
        let len = state.pages()?.write(offset, bytes, take)?;
        state.touch();
        Ok(len)
    }

    pub(super) fn resize(&self, size: u64) -> Result<(), Errno> {
        let mut state = self.state();
        let freed = state.pages()?.resize(size);
        self.tree.ledger.give_bytes(self.tree.share, freed);
        state.touch();
        Ok(())
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.tree.ledger.give_bytes(self.tree.share, state.body.bytes());
        // A tree may be deeper than the stack is.
        let mut todo = state.take_children();
        while let Some(child) = todo.pop() {
            if let Some(inode) = Arc::into_inner(child) {
                todo.append(&mut inode.state().take_children());
            }
        }
    }
}
