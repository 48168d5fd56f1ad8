//! One entry becomes part of the tree. What has its name before is replaced, and never written to: a hard
//! link may share it.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::archive::{Archive, Entry, Kind};
use super::directory::{self, OURS, PLAIN, READ};
use super::error::{Refusal, Trouble};
use super::modes::times;
use super::name::{Leaf, Name, check_length};
use super::removal;
use super::tree::{Directory, Tree, lost};

/// Bits of a mode that are kept: not those that would lend somebody the owner's rights.
const KEPT: u32 = 0o1777;

impl Tree {
    /// Does what the entry asks for; `archive` has its contents.
    pub(super) fn place<R: BufRead>(
        &mut self,
        entry: &Entry,
        archive: &mut Archive<R>,
    ) -> Result<(), Trouble> {
        let name = Name::parse(&entry.name, "name", &self.meter.bounds)?;
        match name.leaf()? {
            Leaf::Root if entry.kind == Kind::Directory => self.root_directory(entry),
            Leaf::Root => Err(Refusal::Root.into()),
            Leaf::Plain(leaf) => {
                let parent = self.parent(&name)?;
                match entry.kind {
                    Kind::File => self.file(&parent, leaf, entry, archive)?,
                    Kind::Directory => self.directory(&parent, leaf, &name, entry)?,
                    Kind::SymbolicLink => self.symbolic_link(&parent, leaf, entry)?,
                    Kind::HardLink => self.hard_link(&parent, leaf, entry)?,
                }
                self.own.put(parent.inode, leaf);
                Ok(())
            }
            _ if entry.kind != Kind::File || entry.size > 0 => Err(Refusal::Whiteout.into()),
            Leaf::Whiteout(of) => self.whiteout(&name, of),
            Leaf::Opaque => self.opaque(&name),
        }
    }

    fn root_directory(&mut self, entry: &Entry) -> Result<(), Trouble> {
        let inode =
            directory::inode(&self.root).map_err(Trouble::failed("look at the root directory"))?;
        self.note(inode, Vec::new(), entry)
    }

    fn note(&mut self, inode: u64, path: Vec<u8>, entry: &Entry) -> Result<(), Trouble> {
        Ok(self.modes.note(inode, path, mode(entry), Some(entry.mtime), self.meter.bounds.names)?)
    }

    fn file<R: BufRead>(
        &mut self,
        parent: &Directory,
        leaf: &[u8],
        entry: &Entry,
        archive: &mut Archive<R>,
    ) -> Result<(), Trouble> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = self
            .replacing(parent, leaf, || {
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::openat(&parent.place, leaf, flags, mode)
            })
            .map_err(Trouble::failed("make the file"))?;
        let mut file = File::from(made);
        loop {
            let ready = archive.contents().map_err(Trouble::Unreadable)?;
            if ready.is_empty() {
                break;
            }
            file.write_all(ready)
                .map_err(|source| Trouble::Failed { action: "write the file", source })?;
            let written = ready.len();
            archive.consume(written);
        }
        rustix::fs::fchmod(&file, mode(entry)).map_err(Trouble::failed("set the file's mode"))?;
        // That a file system cannot hold the time is no reason to fail.
        let _ = rustix::fs::futimens(&file, &times(entry.mtime));
        Ok(())
    }

    fn directory(
        &mut self,
        parent: &Directory,
        leaf: &[u8],
        name: &Name<'_>,
        entry: &Entry,
    ) -> Result<(), Trouble> {
        let failed = Trouble::failed("make the directory");
        if stat(parent, leaf).map_err(&failed)?.is_none_or(|found| !is(&found, FileType::Directory))
        {
            self.replacing(parent, leaf, || rustix::fs::mkdirat(&parent.place, leaf, OURS))
                .map_err(&failed)?;
            if let Some(made) = stat(parent, leaf).map_err(&failed)? {
                self.own.made(made.st_ino);
            }
        }
        // Not the number that stat gives: where something is mounted, this one is refused.
        let found = directory::open(&parent.place, leaf, directory::PLACE, PLAIN);
        let inode = found.and_then(directory::inode).map_err(&failed)?;
        self.note(inode, name.whole(), entry)
    }

    fn symbolic_link(
        &mut self,
        parent: &Directory,
        leaf: &[u8],
        entry: &Entry,
    ) -> Result<(), Trouble> {
        let target = entry.target.as_slice();
        if target.is_empty() {
            return Err(Refusal::Empty { field: "link target" }.into());
        }
        if target.contains(&0) {
            return Err(Refusal::Nul { field: "link target" }.into());
        }
        check_length("link target", target.len(), self.meter.bounds.target)?;
        self.replacing(parent, leaf, || rustix::fs::symlinkat(target, &parent.place, leaf))
            .map_err(Trouble::failed("make the symbolic link"))?;
        let times = times(entry.mtime);
        let _ = rustix::fs::utimensat(&parent.place, leaf, &times, AtFlags::SYMLINK_NOFOLLOW);
        Ok(())
    }

    fn hard_link(&mut self, parent: &Directory, leaf: &[u8], entry: &Entry) -> Result<(), Trouble> {
        let failed = Trouble::failed("make the hard link");
        let missing = || Refusal::TargetMissing { target: entry.target.clone() };
        let kind = || Refusal::TargetKind { target: entry.target.clone() };
        let target = Name::parse(&entry.target, "link target", &self.meter.bounds)?;
        let Leaf::Plain(target_leaf) = target.leaf()? else { return Err(kind().into()) };
        let place =
            directory::open(&self.root, &target.parent(), directory::PLACE, directory::IN_ROOT);
        let place = match place {
            Err(Errno::NOENT) => return Err(missing().into()),
            other => other.map_err(lost)?,
        };
        let inode = directory::inode(&place).map_err(&failed)?;
        let from = Directory { place, inode };
        let found = stat(&from, target_leaf).map_err(&failed)?.ok_or_else(missing)?;
        if !is(&found, FileType::RegularFile) {
            return Err(kind().into());
        }
        // It is there already, and must not be removed to make room for itself.
        if stat(parent, leaf).map_err(&failed)?.is_some_and(|there| there.st_ino == found.st_ino) {
            return Ok(());
        }
        self.replacing(parent, leaf, || {
            let (from, to) = (&from.place, &parent.place);
            rustix::fs::linkat(from, target_leaf, to, leaf, AtFlags::empty())
        })
        .map_err(|errno| match errno {
            // It was beneath what it should replace.
            Errno::NOENT => missing().into(),
            errno => failed(errno),
        })
    }

    /// Makes an entry, after the one that has its place is removed.
    fn replacing<T>(
        &mut self,
        parent: &Directory,
        leaf: &[u8],
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        match make() {
            Err(Errno::EXIST) => {
                self.forget();
                removal::remove(parent.place.as_fd(), leaf)?;
                make()
            }
            other => other,
        }
    }

    /// Removes what lower layers have under this name. If the layer has put a directory there, what lower
    /// layers have in it goes.
    fn whiteout(&mut self, name: &Name<'_>, of: &[u8]) -> Result<(), Trouble> {
        let failed = Trouble::failed("remove what a whiteout hides");
        let Some(parent) = self.existing_parent(name)? else { return Ok(()) };
        if self.own.is_clean(parent.inode) {
            return Ok(());
        }
        let Some(found) = stat(&parent, of).map_err(&failed)? else { return Ok(()) };
        self.forget();
        let is_own = self.own.has_put(parent.inode, of);
        if is(&found, FileType::Directory) {
            let top = directory::open(&parent.place, of, READ, PLAIN).map_err(&failed)?;
            self.own.prune(&top).map_err(&failed)?;
        }
        if is_own {
            return Ok(());
        }
        let flags = match is(&found, FileType::Directory) {
            true => AtFlags::REMOVEDIR,
            false => AtFlags::empty(),
        };
        match rustix::fs::unlinkat(&parent.place, of, flags) {
            // Something of this layer is in it.
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            other => other.map_err(failed),
        }
    }

    fn opaque(&mut self, name: &Name<'_>) -> Result<(), Trouble> {
        let failed = Trouble::failed("remove what an opaque directory hides");
        let Some(parent) = self.existing_parent(name)? else { return Ok(()) };
        self.forget();
        let top = directory::open(&parent.place, b"", READ, PLAIN).map_err(&failed)?;
        self.own.prune(&top).map_err(failed)
    }
}

fn mode(entry: &Entry) -> Mode {
    Mode::from_raw_mode(entry.mode & KEPT)
}

/// What is called so in a directory, if anything; a link is not followed.
fn stat(parent: &Directory, leaf: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(&parent.place, leaf, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        other => other.map(Some),
    }
}

fn is(found: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(found.st_mode) == kind
}
