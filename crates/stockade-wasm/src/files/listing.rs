//! Listing directories, an entry at a time: what the host has is never held as a whole.

use std::sync::Arc;

use rustix::fs::{Dir, Mode, OFlags, openat};

use super::errno::{Errno, Outcome};
use super::host::Host;
use super::object::Object;
use super::{Descriptor, Entry, FileType, Files};

/// A directory of the host that is being listed. One is kept for each run: a guest that lists
/// several at once makes the kernel look again.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The descriptor it belongs to.
    of: u64,
    /// What the kernel gave with the last entry.
    at: u64,
    dir: Dir,
}

impl Files {
    /// The entry after `cookie`, which is zero for the first; `None` at the end.
    pub(crate) fn read_dir(&mut self, dir: &Descriptor, cookie: u64) -> Outcome<Option<Entry>> {
        if dir.kind() != FileType::Directory {
            return Err(Errno::NotDirectory.into());
        }
        let layout = Arc::clone(&self.layout);
        let mounts = dir.spot.fixed.map(|place| &layout.fixed[place].children);
        // The first cookies are those of the policy's mounts. All are as small as can be: in a
        // guest's C library, `telldir` has 32 bits for them.
        let count = mounts.map_or(0, |mounts| mounts.len() as u64);
        if cookie < count
            && let Some((name, _)) = mounts.and_then(|mounts| mounts.iter().nth(cookie as usize))
        {
            self.lookups = 0;
            let child = self.child(&dir.spot, name)?.ok_or(Errno::NoEntry)?;
            let (kind, inode) = (child.object.kind(), child.object.stat(&layout)?.inode);
            return Ok(Some(Entry { name: name.to_vec(), kind, inode, next: cookie + 1 }));
        }
        let mut at = cookie.saturating_sub(count);
        loop {
            let entry = match &dir.spot.object {
                Object::Memory(inode) => inode.entry_after(at)?,
                Object::Host(host) => self.host_entry(dir.number, host, at)?,
                _ => None,
            };
            let Some(mut entry) = entry else { return Ok(None) };
            at = entry.next;
            if mounts.is_none_or(|mounts| !mounts.contains_key(&*entry.name)) {
                entry.next = at.checked_add(count).ok_or(Errno::Overflow)?;
                return Ok(Some(entry));
            }
        }
    }

    fn host_entry(&mut self, of: u64, host: &Host, at: u64) -> Outcome<Option<Entry>> {
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.of == of => cursor,
            _ => Cursor { of, at: 0, dir: open(host)? },
        };
        if cursor.at != at {
            cursor.dir.seek(at as i64)?;
        }
        while let Some(entry) = cursor.dir.read() {
            let entry = entry?;
            cursor.at = u64::try_from(entry.offset()).map_err(|_| Errno::Overflow)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                rustix::fs::FileType::Directory => FileType::Directory,
                rustix::fs::FileType::RegularFile => FileType::Regular,
                rustix::fs::FileType::Symlink => FileType::Symlink,
                rustix::fs::FileType::Unknown => {
                    host.get(name)?.map_or(FileType::Other, |found| found.kind)
                }
                _ => FileType::Other,
            };
            let (name, inode, next) = (name.to_vec(), entry.ino(), cursor.at);
            self.cursor = Some(cursor);
            return Ok(Some(Entry { name, kind, inode, next }));
        }
        Ok(None)
    }
}

fn open(host: &Host) -> Outcome<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Dir::new(openat(&host.fd, ".", flags, Mode::empty())?)?)
}
