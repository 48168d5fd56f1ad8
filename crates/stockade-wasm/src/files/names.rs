//! Names: making, moving and taking them away.

use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, linkat, mkdirat, renameat, symlinkat};

use super::errno::{Errno, Outcome};
use super::memory::{Body, Directory};
use super::object::Object;
use super::walk::{Found, MAX_PATH};
use super::{Descriptor, FileType, Files};

impl Files {
    pub(crate) fn create_dir(&mut self, at: &Descriptor, path: &[u8]) -> Outcome<()> {
        let found = self.find(at, path, false)?;
        let name = found.vacant()?;
        match &found.dir.object {
            Object::Memory(inode) => {
                inode.create(name, Body::Directory(Directory::default())).map(drop)
            }
            Object::Host(host) => {
                self.make(|| Ok(mkdirat(&host.fd, name, Mode::from_raw_mode(0o777))?))
            }
            _ => Err(Errno::ReadOnly.into()),
        }
    }

    pub(crate) fn symlink(&mut self, target: &[u8], at: &Descriptor, path: &[u8]) -> Outcome<()> {
        if target.is_empty() {
            return Err(Errno::NoEntry.into());
        }
        if target.len() >= MAX_PATH {
            return Err(Errno::NameTooLong.into());
        }
        if target.contains(&0) {
            return Err(Errno::Invalid.into());
        }
        let found = self.find(at, path, false)?;
        let name = found.vacant()?;
        if found.slash {
            return Err(Errno::NoEntry.into());
        }
        match &found.dir.object {
            Object::Memory(inode) => inode.create(name, Body::Symlink(target.into())).map(drop),
            // On the host it would lead to another file than here.
            Object::Host(_) if target[0] == b'/' => Err(Errno::NotPermitted.into()),
            Object::Host(host) => self.make(|| Ok(symlinkat(target, &host.fd, name)?)),
            _ => Err(Errno::ReadOnly.into()),
        }
    }

    pub(crate) fn link(
        &mut self,
        from: (&Descriptor, &[u8]),
        to: (&Descriptor, &[u8]),
    ) -> Outcome<()> {
        let from = self.find(from.0, from.1, false)?;
        let to = self.find(to.0, to.1, false)?;
        if from.object()?.is_directory() {
            return Err(Errno::NotPermitted.into());
        }
        same_mount(&from, &to)?;
        let (old, object) = from.movable()?;
        let new = to.vacant()?;
        if to.slash {
            return Err(Errno::NoEntry.into());
        }
        match (object, &from.dir.object, &to.dir.object) {
            (Object::Memory(inode), _, Object::Memory(directory)) => directory.link(new, inode),
            (_, Object::Host(a), Object::Host(b)) => {
                self.make(|| Ok(linkat(&a.fd, old, &b.fd, new, AtFlags::empty())?))
            }
            _ => Err(Errno::CrossDevice.into()),
        }
    }

    pub(crate) fn rename(
        &mut self,
        from: (&Descriptor, &[u8]),
        to: (&Descriptor, &[u8]),
    ) -> Outcome<()> {
        let from = self.find(from.0, from.1, false)?;
        let to = self.find(to.0, to.1, false)?;
        let object = from.object()?;
        same_mount(&from, &to)?;
        let (old, _) = from.movable()?;
        let (new, replaces) = match &to.child {
            Some(_) => (to.movable()?.0, true),
            None => (to.vacant().map_err(busy_if_taken)?, false),
        };
        if to.slash && !object.is_directory() {
            return Err(Errno::NotDirectory.into());
        }
        match (&from.dir.object, &to.dir.object) {
            (Object::Memory(a), Object::Memory(b)) => Ok(a.rename(old, b, new)?),
            (Object::Host(a), Object::Host(b)) => {
                renameat(&a.fd, old, &b.fd, new)?;
                if replaces {
                    self.ledger().unmake();
                }
                Ok(())
            }
            _ => Err(Errno::CrossDevice.into()),
        }
    }

    pub(crate) fn remove_dir(&mut self, at: &Descriptor, path: &[u8]) -> Outcome<()> {
        let found = self.find(at, path, false)?;
        if !found.object()?.is_directory() {
            return Err(Errno::NotDirectory.into());
        }
        self.remove(&found, true)
    }

    pub(crate) fn unlink(&mut self, at: &Descriptor, path: &[u8]) -> Outcome<()> {
        let found = self.find(at, path, false)?;
        if found.object()?.is_directory() {
            return Err(Errno::IsDirectory.into());
        }
        self.remove(&found, false)
    }

    fn remove(&mut self, found: &Found, directory: bool) -> Outcome<()> {
        let (name, _) = found.movable()?;
        match &found.dir.object {
            Object::Memory(inode) => Ok(inode.remove(name, directory)?),
            Object::Host(host) => {
                host.remove(name, directory)?;
                self.ledger().unmake();
                Ok(())
            }
            _ => Err(Errno::ReadOnly.into()),
        }
    }

    pub(crate) fn read_link(&mut self, at: &Descriptor, path: &[u8]) -> Outcome<Vec<u8>> {
        let found = self.find(at, path, false)?;
        let object = found.object()?;
        match object.kind() {
            FileType::Symlink => Ok(object.target()?.unwrap_or_default()),
            _ => Err(Errno::Invalid.into()),
        }
    }

    /// Makes a name in a bound directory, which is counted.
    pub(super) fn make<T>(&mut self, make: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let ledger = Arc::clone(self.ledger());
        ledger.make()?;
        make().inspect_err(|_| ledger.unmake())
    }
}

fn same_mount(from: &Found, to: &Found) -> Result<(), Errno> {
    if from.dir.object.same_mount(&to.dir.object) { Ok(()) } else { Err(Errno::CrossDevice) }
}

/// `..` and `/` are there, and not to be replaced.
fn busy_if_taken(errno: Errno) -> Errno {
    if errno == Errno::Exist { Errno::Busy } else { errno }
}
