//! What is done by path, and the listing of directories.

use wasmtime::{Caller, Linker};

use super::failure::{Failure, answer};
use super::files::{file_type, new_times, prestat, prestat_name, put_stat};
use super::memory::{parts, put, put_u32, slice};
use super::table::Open;
use super::{Errno, Guest, PREVIEW1};
use crate::files::{Descriptor, Entry, FileType, Files, OpenHow, Outcome};

const FD_READ: u64 = 1 << 1;
const FD_WRITE: u64 = 1 << 6;
const FD_READDIR: u64 = 1 << 14;
/// `lookupflags`: a link at the end of the path is followed.
const FOLLOW: u32 = 1;
/// `oflags`.
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;
/// The `fdflags` `append` and `nonblock`; the others ask for what is not promised.
const FLAGS: u32 = 1 | 4;
/// A guest cannot have a longer path.
const MAX_PATH: u32 = 4096;
/// Bytes of an entry before its name.
const ENTRY: usize = 24;
/// Entries listed between two looks at the tether.
const STRIDE: u32 = 256;

type Done = Result<(), Failure>;
type C<'a> = Caller<'a, Guest>;

/// A path in the guest's memory, and the descriptor it is seen from.
#[derive(Debug, Clone, Copy)]
struct Path {
    fd: u32,
    at: u32,
    len: u32,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    link_changes(linker)?;
    link_moves(linker)?;
    let p = PREVIEW1;
    linker.func_wrap(p, "fd_prestat_get", |mut c: C<'_>, fd: u32, at: u32| {
        answer(prestat(&mut c, fd, at))
    })?;
    linker.func_wrap(p, "fd_prestat_dir_name", |mut c: C<'_>, fd: u32, at: u32, len: u32| {
        answer(prestat_name(&mut c, fd, at, len))
    })?;
    linker.func_wrap(
        p,
        "fd_readdir",
        |mut c: C<'_>, fd: u32, at: u32, len: u32, cookie: u64, result: u32| {
            answer(list(&mut c, fd, (at, len), cookie, result))
        },
    )?;
    linker.func_wrap(
        p,
        "path_open",
        |mut c: C<'_>,
         fd: u32,
         lookup: u32,
         at: u32,
         len: u32,
         oflags: u32,
         base: u64,
         _inheriting: u64,
         flags: u32,
         result: u32| {
            let how = OpenHow {
                read: base & (FD_READ | FD_READDIR) != 0,
                // The rights of a directory say nothing of itself.
                write: base & FD_WRITE != 0 && oflags & DIRECTORY == 0,
                create: oflags & CREATE != 0,
                exclusive: oflags & EXCLUSIVE != 0,
                truncate: oflags & TRUNCATE != 0,
                directory: oflags & DIRECTORY != 0,
                follow: lookup & FOLLOW != 0,
            };
            answer(open(&mut c, Path { fd, at, len }, how, flags, result))
        },
    )?;
    linker.func_wrap(
        p,
        "path_filestat_get",
        |mut c: C<'_>, fd: u32, lookup: u32, at: u32, len: u32, result: u32| {
            answer(stat(&mut c, Path { fd, at, len }, lookup, result))
        },
    )?;
    linker.func_wrap(
        p,
        "path_readlink",
        |mut c: C<'_>, fd: u32, at: u32, len: u32, to: u32, room: u32, result: u32| {
            answer(read_link(&mut c, Path { fd, at, len }, (to, room), result))
        },
    )?;
    Ok(())
}

fn link_changes(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let p = PREVIEW1;
    let one: [(&str, OnePath); 3] = [
        ("path_create_directory", Files::create_dir),
        ("path_remove_directory", Files::remove_dir),
        ("path_unlink_file", Files::unlink),
    ];
    for (name, change) in one {
        linker.func_wrap(p, name, move |mut c: C<'_>, fd: u32, at: u32, len: u32| {
            answer(with_path(&mut c, Path { fd, at, len }, |files, dir, path| {
                Ok(change(files, dir, path)?)
            }))
        })?;
    }
    linker.func_wrap(
        p,
        "path_filestat_set_times",
        |mut c: C<'_>,
         fd: u32,
         lookup: u32,
         at: u32,
         len: u32,
         accessed: u64,
         modified: u64,
         flags: u32| {
            answer(with_path(&mut c, Path { fd, at, len }, |files, dir, path| {
                let [accessed, modified] = new_times([accessed, modified], flags)?;
                Ok(files.set_times_at(dir, path, lookup & FOLLOW != 0, accessed, modified)?)
            }))
        },
    )?;
    linker.func_wrap(
        p,
        "path_symlink",
        |mut c: C<'_>, target: u32, target_len: u32, fd: u32, at: u32, len: u32| {
            let target = Path { fd, at: target, len: target_len };
            answer(text(&mut c, target).and_then(|target| {
                with_path(&mut c, Path { fd, at, len }, |files, dir, path| {
                    Ok(files.symlink(&target, dir, path)?)
                })
            }))
        },
    )?;
    Ok(())
}

fn link_moves(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let p = PREVIEW1;
    linker.func_wrap(
        p,
        "path_rename",
        |mut c: C<'_>, fd: u32, at: u32, len: u32, new_fd: u32, new_at: u32, new_len: u32| {
            let new = Path { fd: new_fd, at: new_at, len: new_len };
            answer(with_paths(&mut c, [Path { fd, at, len }, new], Files::rename))
        },
    )?;
    linker.func_wrap(
        p,
        "path_link",
        |mut c: C<'_>,
         fd: u32,
         lookup: u32,
         at: u32,
         len: u32,
         new_fd: u32,
         new_at: u32,
         new_len: u32| {
            if lookup & FOLLOW != 0 {
                return answer(Err(Errno::INVAL.into()));
            }
            let new = Path { fd: new_fd, at: new_at, len: new_len };
            answer(with_paths(&mut c, [Path { fd, at, len }, new], Files::link))
        },
    )?;
    Ok(())
}

/// The text of a path.
fn text(caller: &mut C<'_>, path: Path) -> Result<Vec<u8>, Failure> {
    caller.data().tether.check_cancelled()?;
    if path.len > MAX_PATH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let (memory, _) = parts(caller)?;
    Ok(slice(memory, path.at, path.len)?.to_vec())
}

fn with_path<T>(
    caller: &mut C<'_>,
    path: Path,
    act: impl FnOnce(&mut Files, &Descriptor, &[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let text = text(caller, path)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let dir = fds.directory(files, path.fd)?;
    act(files, dir, &text)
}

type OnePath = fn(&mut Files, &Descriptor, &[u8]) -> Outcome<()>;
type TwoPaths = fn(&mut Files, (&Descriptor, &[u8]), (&Descriptor, &[u8])) -> Outcome<()>;

fn with_paths(caller: &mut C<'_>, paths: [Path; 2], act: TwoPaths) -> Done {
    let texts = [text(caller, paths[0])?, text(caller, paths[1])?];
    let Guest { fds, files, .. } = caller.data_mut();
    let [from, to] = fds.directories(files, [paths[0].fd, paths[1].fd])?;
    Ok(act(files, (from, &texts[0]), (to, &texts[1]))?)
}

fn open(caller: &mut C<'_>, path: Path, how: OpenHow, flags: u32, result: u32) -> Done {
    if flags & !FLAGS != 0 {
        return Err(Errno::NOTSUP.into());
    }
    // What could not be told to the guest is not done.
    slice(parts(caller)?.0, result, 4)?;
    let descriptor = with_path(caller, path, |files, dir, path| Ok(files.open(dir, path, how)?))?;
    let (memory, guest) = parts(caller)?;
    let open = Open { descriptor, position: 0, flags: flags as u16, given: false };
    Ok(put_u32(memory, result, guest.fds.insert(open))?)
}

fn stat(caller: &mut C<'_>, path: Path, lookup: u32, result: u32) -> Done {
    let follow = lookup & FOLLOW != 0;
    let stat = with_path(caller, path, |files, dir, path| Ok(files.stat_at(dir, path, follow)?))?;
    Ok(put_stat(parts(caller)?.0, result, &stat)?)
}

fn read_link(caller: &mut C<'_>, path: Path, (to, room): (u32, u32), result: u32) -> Done {
    let target = with_path(caller, path, |files, dir, path| Ok(files.read_link(dir, path)?))?;
    let (memory, _) = parts(caller)?;
    let len = target.len().min(room as usize);
    put(memory, to, &target[..len])?;
    Ok(put_u32(memory, result, len as u32)?)
}

/// Fills the guest's buffer with entries; the last one may be cut, which tells that there are
/// more. The first two are `.` and `..`, which files do not list themselves.
fn list(caller: &mut C<'_>, fd: u32, (at, len): (u32, u32), mut cookie: u64, result: u32) -> Done {
    caller.data().tether.check_cancelled()?;
    let (memory, guest) = parts(caller)?;
    let Guest { fds, files, tether, .. } = guest;
    let dir = fds.directory(files, fd)?;
    if dir.kind() != FileType::Directory {
        return Err(Errno::NOTDIR.into());
    }
    let mut room = &mut *slice(memory, at, len)?;
    let mut count = 0;
    while !room.is_empty() {
        count += 1;
        if count % STRIDE == 0 {
            tether.look()?;
        }
        let Some(entry) = entry_after(files, dir, cookie)? else { break };
        cookie = entry.next;
        let mut bytes = Vec::with_capacity(ENTRY + entry.name.len());
        bytes.extend(entry.next.to_le_bytes());
        bytes.extend(entry.inode.to_le_bytes());
        bytes.extend((entry.name.len() as u32).to_le_bytes());
        bytes.extend([file_type(entry.kind), 0, 0, 0]);
        bytes.extend(&entry.name);
        let fits = bytes.len().min(room.len());
        let (here, rest) = room.split_at_mut(fits);
        here.copy_from_slice(&bytes[..fits]);
        room = rest;
    }
    let used = len - room.len() as u32;
    Ok(put_u32(memory, result, used)?)
}

/// Cookies of what files list come after those of `.` and `..`.
fn entry_after(files: &mut Files, dir: &Descriptor, cookie: u64) -> Result<Option<Entry>, Failure> {
    let Some(beneath) = cookie.checked_sub(2) else {
        let inode = files.stat(dir)?.inode;
        let name = if cookie == 0 { b".".to_vec() } else { b"..".to_vec() };
        let kind = FileType::Directory;
        return Ok(Some(Entry { name, kind, inode, next: cookie + 1 }));
    };
    let entry = files.read_dir(dir, beneath)?;
    Ok(entry.map(|entry| Entry { next: entry.next.saturating_add(2), ..entry }))
}
