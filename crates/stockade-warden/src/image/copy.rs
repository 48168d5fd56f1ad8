//! Copying a directory of the host with all that is in it.

use crate::board::Board;
use crate::sys::{
    self, Errno, Fd, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, Result, S_IFDIR,
    S_IFLNK, S_IFMT, S_IFREG, Stat,
};

/// How deep a tree may be. Each level holds two descriptors.
const DEEPEST: usize = 200;

/// Permission bits that are kept: no copy acts for its owner.
const MODE: u32 = 0o1777;

const CHUNK: usize = 32 << 10;

/// Whose files become the workload's.
#[derive(Clone, Copy)]
pub struct Owners {
    /// Owner and group on disk; `None` where all copies belong to who copies.
    pub from: Option<(u32, u32)>,
    /// Id of the workload, as the warden sees it.
    pub to: u32,
}

/// Copies what is in the directory `from` into the directory `to`: directories, files and symbolic
/// links, with their permissions and times. Names of one file become files of their own; devices,
/// sockets and FIFOs are left out, and so are extended attributes.
///
/// The board's item counts what was copied.
pub fn tree(board: Board, from: Fd, to: Fd, owners: Owners) -> Result<()> {
    let mut copier = Copier { board, owners, count: 0, chunk: [0; CHUNK] };
    copier.directory(from, to, 0)
}

struct Copier {
    board: Board,
    owners: Owners,
    count: usize,
    chunk: [u8; CHUNK],
}

impl Copier {
    fn directory(&mut self, from: Fd, to: Fd, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(Errno::ELOOP);
        }
        let mut entries = [0u8; 2048];
        loop {
            let len = sys::list_dir(from, &mut entries)?;
            let mut rest = entries.get(..len).unwrap_or(&[]);
            if rest.is_empty() {
                return Ok(());
            }
            while let Some((name, after)) = sys::next_name(rest) {
                rest = after;
                if name != b".\0" && name != b"..\0" {
                    self.board.item(self.count);
                    self.count += 1;
                    self.entry(from, to, name, depth)?;
                }
            }
        }
    }

    fn entry(&mut self, from: Fd, to: Fd, name: &[u8], depth: usize) -> Result<()> {
        let stat = sys::stat_link(from, name)?;
        match stat.mode & S_IFMT {
            S_IFDIR => {
                sys::make_dir(to, name, 0o700)?;
                let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
                let inner =
                    (sys::open_at(from, name, flags, 0)?, sys::open_at(to, name, flags, 0)?);
                self.directory(inner.0, inner.1, depth + 1)?;
                // Last: what is put into a directory changes its times.
                self.finish(inner.1, &stat)?;
                sys::close(inner.0);
                sys::close(inner.1);
                Ok(())
            }
            S_IFREG => {
                let source = sys::open_at(from, name, O_RDONLY | O_NOFOLLOW, 0)?;
                let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
                let copy = sys::open_at(to, name, flags, 0o600)?;
                self.contents(source, copy)?;
                self.finish(copy, &stat)?;
                sys::close(source);
                sys::close(copy);
                Ok(())
            }
            S_IFLNK => {
                let mut target = [0u8; 4097];
                let len = sys::read_link(from, name, &mut target)?.len();
                let target = target.get(..=len).ok_or(Errno::EINVAL)?;
                sys::link_to(target, to, name)?;
                match self.owner(&stat) {
                    Some((uid, gid)) => sys::chown_link(to, name, uid, gid),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn contents(&mut self, from: Fd, to: Fd) -> Result<()> {
        loop {
            let len = match sys::read(from, &mut self.chunk) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            if len == 0 {
                return Ok(());
            }
            sys::write_all(to, self.chunk.get(..len).unwrap_or(&[]))?;
        }
    }

    fn finish(&self, copy: Fd, stat: &Stat) -> Result<()> {
        if let Some((uid, gid)) = self.owner(stat) {
            sys::chown(copy, uid, gid)?;
        }
        sys::set_mode(copy, stat.mode & MODE)?;
        sys::set_modified(copy, stat.modified)
    }

    /// Whom the copy of a file belongs to, if not to who makes it: nobody of the sandbox's.
    fn owner(&self, stat: &Stat) -> Option<(u32, u32)> {
        let (uid, gid) = self.owners.from?;
        let to = |same: bool| if same { self.owners.to } else { 0 };
        Some((to(stat.uid == uid), to(stat.gid == gid)))
    }
}
