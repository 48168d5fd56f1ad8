//! Reading and writing what is open: streams, and files in order or at a place.

use wasmtime::{Caller, Linker};

use super::failure::{Failure, answer};
use super::memory::{parts, put_u32, slice, u32_at};
use super::table::{Open, Slot};
use super::{Errno, Guest, PREVIEW1};
use crate::files::{FileError, Files, Place};

/// Most parts of one scattered read or gathered write; what Linux calls `IOV_MAX`.
const MAX_PARTS: u32 = 1024;
/// Most bytes moved by one call: a guest that asks for more gets a short answer.
const MOST: u32 = 1 << 20;
/// The `fdflags` bit `append`.
const APPEND: u16 = 1;

/// A list of parts of the guest's memory.
#[derive(Debug, Clone, Copy)]
struct List {
    at: u32,
    count: u32,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(
        PREVIEW1,
        "fd_write",
        |mut c: Caller<'_, Guest>, fd: u32, at: u32, count: u32, result: u32| {
            answer(write(&mut c, fd, List { at, count }, None, result))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "fd_read",
        |mut c: Caller<'_, Guest>, fd: u32, at: u32, count: u32, result: u32| {
            answer(read(&mut c, fd, List { at, count }, None, result))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "fd_pwrite",
        |mut c: Caller<'_, Guest>, fd: u32, at: u32, count: u32, offset: u64, result: u32| {
            answer(write(&mut c, fd, List { at, count }, Some(offset), result))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "fd_pread",
        |mut c: Caller<'_, Guest>, fd: u32, at: u32, count: u32, offset: u64, result: u32| {
            answer(read(&mut c, fd, List { at, count }, Some(offset), result))
        },
    )?;
    Ok(())
}

impl List {
    fn check(self) -> Result<(), Errno> {
        if self.count > MAX_PARTS { Err(Errno::INVAL) } else { Ok(()) }
    }

    /// One part, of which at most `room` bytes are used.
    fn part(self, memory: &mut [u8], index: u32, room: u32) -> Result<&mut [u8], Errno> {
        let at = self.at.checked_add(index * 8).ok_or(Errno::FAULT)?;
        let len = u32_at(memory, at.checked_add(4).ok_or(Errno::FAULT)?)?;
        let at = u32_at(memory, at)?;
        slice(memory, at, len.min(room))
    }
}

fn write(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: List,
    offset: Option<u64>,
    result: u32,
) -> Result<(), Failure> {
    caller.data().tether.check_cancelled()?;
    let (memory, guest) = parts(caller)?;
    let written = match guest.fds.get(fd)? {
        Slot::Stream(0) => return Err(Errno::BADF.into()),
        Slot::Stream(_) if offset.is_some() => return Err(Errno::SPIPE.into()),
        Slot::Stream(stream) => {
            let stream = *stream;
            write_stream(memory, guest, stream, list)?
        }
        _ => {
            let Guest { fds, files, .. } = &mut *guest;
            let open = fds.open(files, fd, Errno::BADF)?;
            write_file(memory, files, open, list, offset)?
        }
    };
    Ok(put_u32(memory, result, written)?)
}

fn write_stream(
    memory: &mut [u8],
    guest: &mut Guest,
    stream: u8,
    list: List,
) -> Result<u32, Failure> {
    list.check()?;
    let Guest { tether, stdout, stderr, .. } = guest;
    let sink = if stream == 1 { stdout } else { stderr };
    let mut written = 0;
    for index in 0..list.count {
        let bytes = list.part(memory, index, MOST - written)?;
        sink.write(tether, bytes)?;
        written += bytes.len() as u32;
        if written == MOST {
            break;
        }
    }
    Ok(written)
}

fn write_file(
    memory: &mut [u8],
    files: &mut Files,
    open: &mut Open,
    list: List,
    offset: Option<u64>,
) -> Result<u32, Failure> {
    list.check()?;
    let append = offset.is_none() && open.flags & APPEND != 0;
    let mut at = offset.unwrap_or(open.position);
    let mut written = 0;
    for index in 0..list.count {
        let bytes = list.part(memory, index, MOST - written)?;
        let place = if append { Place::End } else { Place::At(at) };
        let (len, end) = match files.write(&open.descriptor, place, bytes) {
            Err(FileError::Errno(_)) if written > 0 => break,
            done => done?,
        };
        at = end;
        written += len as u32;
        if len < bytes.len() || written == MOST {
            break;
        }
    }
    if list.count == 0 {
        files.write(&open.descriptor, Place::At(at), &[])?;
    }
    if offset.is_none() {
        open.position = at;
    }
    Ok(written)
}

fn read(
    caller: &mut Caller<'_, Guest>,
    fd: u32,
    list: List,
    offset: Option<u64>,
    result: u32,
) -> Result<(), Failure> {
    caller.data().tether.check_cancelled()?;
    let (memory, guest) = parts(caller)?;
    let done = match guest.fds.get(fd)? {
        Slot::Stream(0) if offset.is_none() => read_stream(memory, guest, list)?,
        Slot::Stream(0) => return Err(Errno::SPIPE.into()),
        Slot::Stream(_) => return Err(Errno::BADF.into()),
        _ => {
            let Guest { fds, files, .. } = &mut *guest;
            let open = fds.open(files, fd, Errno::BADF)?;
            read_file(memory, files, open, list, offset)?
        }
    };
    Ok(put_u32(memory, result, done)?)
}

/// The first part with room takes what there is: a short read, as from any stream.
fn read_stream(memory: &mut [u8], guest: &mut Guest, list: List) -> Result<u32, Failure> {
    list.check()?;
    for index in 0..list.count {
        let room = list.part(memory, index, MOST)?;
        if !room.is_empty() {
            return Ok(guest.stdin.read(&guest.tether, room)? as u32);
        }
    }
    Ok(0)
}

fn read_file(
    memory: &mut [u8],
    files: &mut Files,
    open: &mut Open,
    list: List,
    offset: Option<u64>,
) -> Result<u32, Failure> {
    list.check()?;
    let at = offset.unwrap_or(open.position);
    let mut done = 0;
    for index in 0..list.count {
        let room = list.part(memory, index, MOST - done)?;
        let from = at.checked_add(done.into()).ok_or(Errno::INVAL)?;
        let len = match files.read(&open.descriptor, from, room) {
            Err(FileError::Errno(_)) if done > 0 => break,
            len => len?,
        };
        done += len as u32;
        if len < room.len() || done == MOST {
            break;
        }
    }
    if list.count == 0 {
        files.read(&open.descriptor, at, &mut [])?;
    }
    if offset.is_none() {
        open.position = at.saturating_add(done.into());
    }
    Ok(done)
}
