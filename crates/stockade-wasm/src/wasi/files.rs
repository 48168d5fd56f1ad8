//! What is told and changed about an open descriptor.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::{Caller, Linker};

use super::failure::{Failure, answer};
use super::memory::{parts, put, put_u32, put_u64};
use super::table::Slot;
use super::{Errno, Guest, PREVIEW1};
use crate::files::{FileType, NewTime, Stat};

const FD_READ: u64 = 1 << 1;
const FD_WRITE: u64 = 1 << 6;
/// Rights that only say that a file may be written to: `fd_datasync`, `fd_allocate`,
/// `path_filestat_set_size`, `fd_filestat_set_size`.
const CHANGING: u64 = 1 | FD_WRITE | 1 << 8 | 1 << 19 | 1 << 22;
/// `fd_readdir` and `fd_read`.
const READING: u64 = FD_READ | 1 << 14;
/// All there are, but those of sockets.
const ALL: u64 = (1 << 28) - 1;
/// The `fdflags` that have a meaning here: `append`, and `nonblock`, which no file heeds.
const FLAGS: u32 = 1 | 4;
/// A C library takes a character device that cannot be sought for a terminal.
const STREAM: FileType = FileType::Other;
/// Most values of `advice`.
const ADVICES: u32 = 6;

type Done = Result<(), Failure>;
type C<'a> = Caller<'a, Guest>;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let p = PREVIEW1;
    linker.func_wrap(p, "fd_close", |mut c: C<'_>, fd: u32| answer(close(&mut c, fd)))?;
    linker.func_wrap(p, "fd_renumber", |mut c: C<'_>, from: u32, to: u32| {
        answer(renumber(&mut c, from, to))
    })?;
    linker.func_wrap(p, "fd_fdstat_get", |mut c: C<'_>, fd: u32, at: u32| {
        answer(fdstat(&mut c, fd, at))
    })?;
    linker.func_wrap(p, "fd_fdstat_set_flags", |mut c: C<'_>, fd: u32, flags: u32| {
        answer(set_flags(&mut c, fd, flags))
    })?;
    linker.func_wrap(p, "fd_fdstat_set_rights", |mut c: C<'_>, fd: u32, _: u64, _: u64| {
        answer(known(&mut c, fd).and(Err(Errno::NOTSUP.into())))
    })?;
    linker.func_wrap(p, "fd_filestat_get", |mut c: C<'_>, fd: u32, at: u32| {
        answer(filestat(&mut c, fd, at))
    })?;
    linker.func_wrap(p, "fd_filestat_set_size", |mut c: C<'_>, fd: u32, size: u64| {
        answer(resize(&mut c, fd, size))
    })?;
    linker.func_wrap(
        p,
        "fd_filestat_set_times",
        |mut c: C<'_>, fd: u32, accessed: u64, modified: u64, flags: u32| {
            answer(set_times(&mut c, fd, [accessed, modified], flags))
        },
    )?;
    linker.func_wrap(p, "fd_allocate", |mut c: C<'_>, fd: u32, offset: u64, len: u64| {
        answer(allocate(&mut c, fd, offset, len))
    })?;
    linker.func_wrap(p, "fd_advise", |mut c: C<'_>, fd: u32, _: u64, _: u64, advice: u32| {
        answer(advise(&mut c, fd, advice))
    })?;
    for name in ["fd_sync", "fd_datasync"] {
        linker.func_wrap(p, name, |mut c: C<'_>, fd: u32| answer(sync(&mut c, fd)))?;
    }
    linker.func_wrap(
        p,
        "fd_seek",
        |mut c: C<'_>, fd: u32, offset: i64, whence: u32, at: u32| {
            answer(seek(&mut c, fd, (offset, whence), at))
        },
    )?;
    linker.func_wrap(p, "fd_tell", |mut c: C<'_>, fd: u32, at: u32| {
        answer(seek(&mut c, fd, (0, 1), at))
    })?;
    Ok(())
}

pub(super) fn file_type(kind: FileType) -> u8 {
    match kind {
        FileType::Other => 0,
        FileType::CharacterDevice => 2,
        FileType::Directory => 3,
        FileType::Regular => 4,
        FileType::Symlink => 7,
    }
}

fn close(caller: &mut C<'_>, fd: u32) -> Done {
    caller.data().tether.check_cancelled()?;
    Ok(caller.data_mut().fds.close(fd)?)
}

fn renumber(caller: &mut C<'_>, from: u32, to: u32) -> Done {
    caller.data().tether.check_cancelled()?;
    let Guest { fds, files, .. } = caller.data_mut();
    Ok(fds.renumber(files, from, to)?)
}

fn known(caller: &mut C<'_>, fd: u32) -> Done {
    caller.data().tether.check_cancelled()?;
    caller.data().fds.get(fd)?;
    Ok(())
}

fn fdstat(caller: &mut C<'_>, fd: u32, at: u32) -> Done {
    known(caller, fd)?;
    let (memory, guest) = parts(caller)?;
    let Guest { fds, files, .. } = guest;
    let (kind, flags, base, inheriting) = match fds.get(fd)? {
        Slot::Stream(0) => (STREAM, 0, FD_READ, 0),
        Slot::Stream(_) => (STREAM, 0, FD_WRITE, 0),
        _ => {
            let open = fds.open(files, fd, Errno::BADF)?;
            let mut rights = ALL;
            if !open.descriptor.can_read() {
                rights &= !READING;
            }
            let kind = open.descriptor.kind();
            if kind == FileType::Directory {
                (kind, open.flags, ALL & !FD_READ & !FD_WRITE, ALL)
            } else {
                if !open.descriptor.can_write() {
                    rights &= !CHANGING;
                }
                (kind, open.flags, rights, rights)
            }
        }
    };
    let mut stat = [0; 24];
    stat[0] = file_type(kind);
    stat[2..4].copy_from_slice(&flags.to_le_bytes());
    stat[8..16].copy_from_slice(&base.to_le_bytes());
    stat[16..24].copy_from_slice(&inheriting.to_le_bytes());
    Ok(put(memory, at, &stat)?)
}

fn set_flags(caller: &mut C<'_>, fd: u32, flags: u32) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::NOTSUP)?;
    if flags & !FLAGS != 0 {
        return Err(Errno::NOTSUP.into());
    }
    open.flags = flags as u16;
    Ok(())
}

fn filestat(caller: &mut C<'_>, fd: u32, at: u32) -> Done {
    known(caller, fd)?;
    let (memory, guest) = parts(caller)?;
    let Guest { fds, files, .. } = guest;
    if let Slot::Stream(_) = fds.get(fd)? {
        let mut stat = [0; 64];
        stat[16] = file_type(STREAM);
        return Ok(put(memory, at, &stat)?);
    }
    let open = fds.open(files, fd, Errno::BADF)?;
    let stat = files.stat(&open.descriptor)?;
    Ok(put_stat(memory, at, &stat)?)
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn put_stat(memory: &mut [u8], at: u32, stat: &Stat) -> Result<(), Errno> {
    let words = [
        stat.device,
        stat.inode,
        file_type(stat.kind).into(),
        stat.links,
        stat.size,
        nanos(stat.accessed),
        nanos(stat.modified),
        nanos(stat.changed),
    ];
    let mut bytes = [0; 64];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    put(memory, at, &bytes)
}

fn resize(caller: &mut C<'_>, fd: u32, size: u64) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::INVAL)?;
    Ok(files.resize(&open.descriptor, size)?)
}

fn allocate(caller: &mut C<'_>, fd: u32, offset: u64, len: u64) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::SPIPE)?;
    let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
    if len == 0 {
        return Err(Errno::INVAL.into());
    }
    if !open.descriptor.can_write() {
        return Err(Errno::BADF.into());
    }
    let size = files.stat(&open.descriptor)?.size;
    Ok(files.resize(&open.descriptor, size.max(end))?)
}

fn advise(caller: &mut C<'_>, fd: u32, advice: u32) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::SPIPE)?;
    if open.descriptor.kind() == FileType::Directory {
        return Err(Errno::BADF.into());
    }
    if advice < ADVICES { Ok(()) } else { Err(Errno::INVAL.into()) }
}

fn sync(caller: &mut C<'_>, fd: u32) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::INVAL)?;
    Ok(files.sync(&open.descriptor)?)
}

/// What a time becomes, by the two bits of `fstflags` that are about it.
fn new_time(nanoseconds: u64, flags: u32) -> Result<NewTime, Errno> {
    match flags & 3 {
        0 => Ok(NewTime::Keep),
        1 => Ok(NewTime::At(UNIX_EPOCH + Duration::from_nanos(nanoseconds))),
        2 => Ok(NewTime::Now),
        _ => Err(Errno::INVAL),
    }
}

/// What both times become.
pub(super) fn new_times(times: [u64; 2], flags: u32) -> Result<[NewTime; 2], Errno> {
    if flags >> 4 != 0 {
        return Err(Errno::INVAL);
    }
    Ok([new_time(times[0], flags)?, new_time(times[1], flags >> 2)?])
}

fn set_times(caller: &mut C<'_>, fd: u32, times: [u64; 2], flags: u32) -> Done {
    known(caller, fd)?;
    let Guest { fds, files, .. } = caller.data_mut();
    let open = fds.open(files, fd, Errno::BADF)?;
    let [accessed, modified] = new_times(times, flags)?;
    Ok(files.set_times(&open.descriptor, accessed, modified)?)
}

fn seek(caller: &mut C<'_>, fd: u32, (offset, whence): (i64, u32), at: u32) -> Done {
    known(caller, fd)?;
    let (memory, guest) = parts(caller)?;
    let Guest { fds, files, .. } = guest;
    let open = fds.open(files, fd, Errno::SPIPE)?;
    if open.descriptor.kind() == FileType::Directory {
        return Err(Errno::BADF.into());
    }
    let from = match whence {
        0 => 0,
        1 => open.position,
        2 => files.stat(&open.descriptor)?.size,
        _ => return Err(Errno::INVAL.into()),
    };
    let position = from.checked_add_signed(offset).filter(|p| i64::try_from(*p).is_ok());
    open.position = position.ok_or(Errno::INVAL)?;
    Ok(put_u64(memory, at, open.position)?)
}

/// Tells of `/`, the one directory a guest is given.
pub(super) fn given(caller: &mut C<'_>, fd: u32) -> Result<&'static [u8], Failure> {
    known(caller, fd)?;
    match caller.data().fds.get(fd)? {
        Slot::Root => Ok(b"/"),
        Slot::Open(open) if open.given => Ok(b"/"),
        _ => Err(Errno::BADF.into()),
    }
}

pub(super) fn prestat(caller: &mut C<'_>, fd: u32, at: u32) -> Done {
    let name = given(caller, fd)?;
    let (memory, _) = parts(caller)?;
    put_u32(memory, at, 0)?;
    Ok(put_u32(memory, at.checked_add(4).ok_or(Errno::FAULT)?, name.len() as u32)?)
}

pub(super) fn prestat_name(caller: &mut C<'_>, fd: u32, at: u32, len: u32) -> Done {
    let name = given(caller, fd)?;
    let (memory, _) = parts(caller)?;
    if (len as usize) < name.len() {
        return Err(Errno::NAMETOOLONG.into());
    }
    Ok(put(memory, at, name)?)
}
