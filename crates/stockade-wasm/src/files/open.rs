//! Opening.

use std::sync::Arc;

use rustix::fs::ftruncate;

use super::errno::{Errno, FileError, Outcome};
use super::memory::Body;
use super::object::Object;
use super::pages::Pages;
use super::walk::{Found, Spot};
use super::{Descriptor, FileType, Files, OpenHow};

/// How often a file may be swapped while it is opened.
const MAX_RACES: u32 = 4;

impl Files {
    /// `/`, which a guest begins with. Counts as an open file.
    pub(crate) fn root(&mut self) -> Descriptor {
        let spot = self.root_spot();
        let ledger = self.ledger();
        Descriptor {
            number: ledger.next_inode(),
            read: true,
            write: false,
            ticket: ledger.admit(),
            spot,
        }
    }

    /// Opens `path`, seen from the directory `at`.
    pub(crate) fn open(
        &mut self,
        at: &Descriptor,
        path: &[u8],
        how: OpenHow,
    ) -> Outcome<Descriptor> {
        let ledger = Arc::clone(self.ledger());
        let ticket = ledger.open()?;
        let mut races = 0;
        let spot = loop {
            let found = self.find(at, path, how.follow && !(how.create && how.exclusive))?;
            let opened = match found.child.is_none() && found.name.is_some() {
                true => self.open_new(found, how),
                false => open_old(found, how),
            };
            match opened {
                // It came or went between the look and the act.
                Err(FileError::Errno(Errno::Exist | Errno::NoEntry))
                    if how.create && !how.exclusive && races < MAX_RACES =>
                {
                    races += 1;
                }
                opened => break opened?,
            }
        };
        let (number, OpenHow { read, write, .. }) = (ledger.next_inode(), how);
        Ok(Descriptor { spot, number, read, write, ticket })
    }

    fn open_new(&mut self, found: Found, how: OpenHow) -> Outcome<Spot> {
        if !how.create {
            return Err(Errno::NoEntry.into());
        }
        let name = found.vacant()?;
        if found.slash {
            return Err(Errno::IsDirectory.into());
        }
        if how.directory {
            return Err(Errno::Invalid.into());
        }
        let object = match &found.dir.object {
            Object::Memory(inode) => {
                Object::Memory(inode.create(name, Body::Regular(Pages::default()))?)
            }
            Object::Host(host) => {
                Object::Host(Arc::new(self.make(|| host.create(name, how.read))?))
            }
            _ => return Err(Errno::ReadOnly.into()),
        };
        Ok(file(object))
    }
}

fn file(object: Object) -> Spot {
    Spot { path: Vec::new(), object, fixed: None }
}

fn open_old(found: Found, how: OpenHow) -> Outcome<Spot> {
    let object = found.object()?;
    if how.create && how.exclusive {
        return Err(Errno::Exist.into());
    }
    let changes = how.write || how.truncate;
    match object.kind() {
        FileType::Directory if changes || how.create => return Err(Errno::IsDirectory.into()),
        FileType::Directory => return Ok(directory(found)?),
        _ if how.directory => return Err(Errno::NotDirectory.into()),
        FileType::Symlink => return Err(Errno::Loop.into()),
        FileType::Other => return Err(Errno::Access.into()),
        _ if changes => object.expect_writable()?,
        _ => {}
    }
    let object = match object {
        Object::Host(host) if how.read || changes => {
            let parent = match (&found.dir.object, &found.name, &found.child) {
                (Object::Host(dir), Some(name), Some(child)) if child.fixed.is_none() => {
                    Some((&**dir, name.as_slice()))
                }
                _ => None,
            };
            let opened = host.open(parent, how.read, changes)?;
            if how.truncate {
                ftruncate(&opened.fd, 0)?;
            }
            Object::Host(Arc::new(opened))
        }
        Object::Memory(inode) if how.truncate => {
            inode.resize(0)?;
            object.clone()
        }
        object => object.clone(),
    };
    Ok(file(object))
}

/// The directory that was found, with the way to it.
fn directory(found: Found) -> Result<Spot, Errno> {
    match (found.name, found.child) {
        (Some(name), Some(child)) => super::walk::enter(found.dir, &name, child),
        _ => Ok(found.dir),
    }
}
