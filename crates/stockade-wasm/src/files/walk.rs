//! Paths, walked component by component: a guest's `..` and links never leave its own tree.

use std::sync::Arc;

use super::errno::{Errno, Outcome};
use super::layout::Content;
use super::memory::{Body, Directory};
use super::object::Object;
use super::{Descriptor, FileType, Files};

/// Longest path, and longest way from `/` to anything; the most that Linux takes.
pub(super) const MAX_PATH: usize = 4096;
const MAX_NAME: usize = 255;
/// Most symbolic links on one path, as for native programs.
const MAX_LINKS: u32 = 40;
/// Most names looked up for one path: each `..` begins at `/` again.
const MAX_LOOKUPS: u32 = 1 << 13;

/// A directory, and how it was reached.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// Names from `/` to here, each after a slash.
    pub(super) path: Vec<u8>,
    pub(super) object: Object,
    /// Its place in the layout, if it has one.
    pub(super) fixed: Option<usize>,
}

/// What a name in a directory is.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) object: Object,
    pub(super) fixed: Option<usize>,
}

/// Where a path leads to.
#[derive(Debug)]
pub(super) struct Found {
    /// The directory in which the last name is looked up; what was found, if there is none.
    pub(super) dir: Spot,
    /// The last name, unless it is `.` or `..`.
    pub(super) name: Option<Vec<u8>>,
    /// What has that name.
    pub(super) child: Option<Child>,
    /// It has to be a directory.
    pub(super) slash: bool,
}

impl Found {
    /// What is there; a path that ends in a slash is one of a directory.
    pub(super) fn object(&self) -> Result<&Object, Errno> {
        let object = match (&self.name, &self.child) {
            (None, _) => &self.dir.object,
            (Some(_), Some(child)) => &child.object,
            (Some(_), None) => return Err(Errno::NoEntry),
        };
        if self.slash && !object.is_directory() {
            return Err(Errno::NotDirectory);
        }
        Ok(object)
    }

    /// What is there, with a name that may be changed: not a place of the policy's.
    pub(super) fn movable(&self) -> Result<(&[u8], &Object), Errno> {
        let object = self.object()?;
        let name = self.name.as_deref().ok_or(Errno::Busy)?;
        self.dir.object.expect_writable()?;
        match &self.child {
            Some(Child { fixed: Some(_), .. }) => Err(Errno::Busy),
            _ => Ok((name, object)),
        }
    }

    /// The name that is to be made: nothing has it.
    pub(super) fn vacant(&self) -> Result<&[u8], Errno> {
        match (&self.name, &self.child) {
            (Some(name), None) => self.dir.object.expect_writable().map(|()| name.as_slice()),
            _ => Err(Errno::Exist),
        }
    }
}

/// The components of a path, last one first.
fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let parts = path.rsplit(|&byte| byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec)
}

/// Whether the last component is a name that may only be of a directory.
fn ends_as_directory(path: &[u8]) -> bool {
    path.ends_with(b"/") || path == b"." || path.ends_with(b"/.")
}

impl Files {
    pub(super) fn root_spot(&mut self) -> Spot {
        let object = match &self.layout.fixed[0].content {
            Content::Host(host) => Object::Host(Arc::clone(host)),
            _ => Object::Void(0),
        };
        Spot { path: Vec::new(), object, fixed: Some(0) }
    }

    /// Finds what `path` leads to, seen from `at`; follows a link at its end if asked to.
    pub(super) fn find(&mut self, at: &Descriptor, path: &[u8], follow: bool) -> Outcome<Found> {
        if path.is_empty() {
            return Err(Errno::NoEntry.into());
        }
        self.lookups = 0;
        if !at.spot.object.is_directory() {
            return Err(Errno::NotDirectory.into());
        }
        check_path(path)?;
        let here = if path[0] == b'/' {
            self.root_spot()
        } else if at.spot.path.is_empty() {
            self.start(path)?
        } else {
            at.spot.clone()
        };
        self.walk(here, path, follow)
    }

    /// Where a path seen from `/` starts: a guest's libc cannot tell `name` from `/name`, so what
    /// `/` does not have is looked for in the working directory.
    fn start(&mut self, path: &[u8]) -> Outcome<Spot> {
        let root = self.root_spot();
        let Some(first) = parts(path).last() else { return Ok(root) };
        if first == b".." || self.child(&root, &first)?.is_some() {
            return Ok(root);
        }
        let cwd = Arc::clone(&self.layout);
        match self.spot(cwd.cwd.as_bytes())? {
            Some(spot) => Ok(spot),
            None => Ok(root),
        }
    }

    fn walk(&mut self, mut here: Spot, path: &[u8], follow: bool) -> Outcome<Found> {
        let mut todo: Vec<Vec<u8>> = parts(path).collect();
        let mut slash = ends_as_directory(path);
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                here = self.leave(here, &mut todo)?;
                continue;
            }
            let last = todo.is_empty();
            let Some(child) = self.child(&here, &name)? else {
                if last {
                    return Ok(Found { dir: here, name: Some(name), child: None, slash });
                }
                return Err(Errno::NoEntry.into());
            };
            let kind = child.object.kind();
            if kind == FileType::Symlink && (!last || follow || slash) {
                links += 1;
                let target = child.object.target()?.unwrap_or_default();
                if links > MAX_LINKS {
                    return Err(Errno::Loop.into());
                }
                if target.is_empty() {
                    return Err(Errno::NoEntry.into());
                }
                check_path(&target)?;
                slash |= last && ends_as_directory(&target);
                if target[0] == b'/' {
                    here = self.root_spot();
                }
                todo.extend(parts(&target));
            } else if last {
                return Ok(Found { dir: here, name: Some(name), child: Some(child), slash });
            } else {
                here = enter(here, &name, child)?;
            }
        }
        Ok(Found { dir: here, name: None, child: None, slash: false })
    }

    /// The parent directory, and that one's for each further `..`.
    fn leave(&mut self, here: Spot, todo: &mut Vec<Vec<u8>>) -> Outcome<Spot> {
        let mut path = here.path;
        loop {
            let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            path.truncate(end);
            if todo.last().is_none_or(|next| next != b"..") {
                break;
            }
            todo.pop();
        }
        Ok(self.spot(&path)?.ok_or(Errno::NoEntry)?)
    }

    /// The directory at a path without links, if it is there.
    fn spot(&mut self, path: &[u8]) -> Outcome<Option<Spot>> {
        let mut here = self.root_spot();
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            match self.child(&here, name)? {
                Some(child) if child.object.is_directory() => here = enter(here, name, child)?,
                _ => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// Whether `path`, links followed, is a directory.
    pub(super) fn is_directory(&mut self, path: &[u8]) -> Outcome<bool> {
        let root = self.root_spot();
        Ok(self.walk(root, path, true)?.object()?.is_directory())
    }

    /// What has this name in this directory: the policy's mounts come before what is beneath.
    pub(super) fn child(&mut self, here: &Spot, name: &[u8]) -> Outcome<Option<Child>> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            return Err(Errno::Loop.into());
        }
        if name.len() > MAX_NAME {
            return Err(Errno::NameTooLong.into());
        }
        let layout = Arc::clone(&self.layout);
        let place = here.fixed.and_then(|place| layout.fixed[place].children.get(name)).copied();
        let Some(place) = place else {
            let beneath = beneath(&here.object, name)?;
            return Ok(beneath.map(|object| Child { object, fixed: None }));
        };
        let object = match &layout.fixed[place].content {
            Content::Passage => match (beneath(&here.object, name)?, &here.object) {
                (Some(object), _) if object.is_directory() => object,
                (None, Object::Memory(inode)) => {
                    Object::Memory(inode.create(name, Body::Directory(Directory::default()))?)
                }
                _ => Object::Void(place),
            },
            Content::Empty => Object::Void(place),
            Content::File(bytes) => Object::Bytes(place, Arc::clone(bytes)),
            Content::Device(device) => Object::Device(place, *device),
            Content::Scratch(tree) => Object::Memory(self.tree(*tree)),
            Content::Host(host) => Object::Host(Arc::clone(host)),
        };
        Ok(Some(Child { object, fixed: Some(place) }))
    }
}

fn check_path(path: &[u8]) -> Result<(), Errno> {
    if path.len() > MAX_PATH {
        return Err(Errno::NameTooLong);
    }
    if path.contains(&0) {
        return Err(Errno::Invalid);
    }
    Ok(())
}

fn beneath(directory: &Object, name: &[u8]) -> Outcome<Option<Object>> {
    match directory {
        Object::Memory(inode) => Ok(inode.get(name)?.map(Object::Memory)),
        Object::Host(host) => Ok(host.get(name)?.map(|found| Object::Host(Arc::new(found)))),
        Object::Void(_) => Ok(None),
        Object::Bytes(..) | Object::Device(..) => Err(Errno::NotDirectory.into()),
    }
}

pub(super) fn enter(mut here: Spot, name: &[u8], child: Child) -> Result<Spot, Errno> {
    if !child.object.is_directory() {
        return Err(Errno::NotDirectory);
    }
    if here.path.len() + 1 + name.len() > MAX_PATH {
        return Err(Errno::NameTooLong);
    }
    here.path.push(b'/');
    here.path.extend_from_slice(name);
    Ok(Spot { path: here.path, object: child.object, fixed: child.fixed })
}
