//! The three streams, which are all the descriptors there are.

use wasmtime::{Caller, Linker};

use super::memory::{parts, put, put_u32, slice, u32_at};
use super::{Answer, Errno, Guest, PREVIEW1, code};
use crate::streams::StreamError;

/// Most parts of one scattered read or gathered write; what Linux calls `IOV_MAX`.
const MAX_PARTS: u32 = 1024;
/// Most bytes moved by one call: a guest that asks for more gets a short answer.
const MOST: u32 = 1 << 20;

/// `character_device`: what a stream looks like to a guest.
const FILE_TYPE: u8 = 2;
/// The rights `fd_read` and `fd_write`.
const RIGHTS: [u64; 3] = [1 << 1, 1 << 6, 1 << 6];

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(PREVIEW1, "fd_write", write)?;
    linker.func_wrap(PREVIEW1, "fd_read", read)?;
    linker.func_wrap(PREVIEW1, "fd_close", |mut c: Caller<'_, Guest>, fd: u32| {
        code(open(c.data_mut(), fd).map(|open| *open = false))
    })?;
    linker.func_wrap(PREVIEW1, "fd_fdstat_get", |mut c: Caller<'_, Guest>, fd: u32, at: u32| {
        code(fdstat(&mut c, fd, at))
    })?;
    linker.func_wrap(
        PREVIEW1,
        "fd_seek",
        |mut c: Caller<'_, Guest>, fd: u32, _offset: i64, _whence: u32, _at: u32| {
            code(open(c.data_mut(), fd).and(Err(Errno::SPIPE)))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "fd_filestat_get",
        |mut c: Caller<'_, Guest>, fd: u32, at: u32| code(filestat(&mut c, fd, at)),
    )?;
    Ok(())
}

fn open(guest: &mut Guest, fd: u32) -> Result<&mut bool, Errno> {
    guest.open.get_mut(fd as usize).filter(|open| **open).ok_or(Errno::BADF)
}

fn fdstat(caller: &mut Caller<'_, Guest>, fd: u32, at: u32) -> Answer {
    let (memory, guest) = parts(caller)?;
    open(guest, fd)?;
    let mut stat = [0u8; 24];
    stat[0] = FILE_TYPE;
    stat[8..16].copy_from_slice(&RIGHTS[fd as usize].to_le_bytes());
    put(memory, at, &stat)
}

fn filestat(caller: &mut Caller<'_, Guest>, fd: u32, at: u32) -> Answer {
    let (memory, guest) = parts(caller)?;
    open(guest, fd)?;
    let mut stat = [0u8; 64];
    stat[16] = FILE_TYPE;
    put(memory, at, &stat)
}

/// The guest's memory and state, if `fd` is open and of the direction that is wanted.
fn stream<'a>(
    caller: &'a mut Caller<'_, Guest>,
    fd: u32,
    direction: bool,
) -> Result<(&'a mut [u8], &'a mut Guest), Errno> {
    let (memory, guest) = parts(caller)?;
    open(guest, fd)?;
    if direction { Ok((memory, guest)) } else { Err(Errno::BADF) }
}

/// One part of a scattered or gathered transfer.
fn part(memory: &mut [u8], list: u32, index: u32) -> Result<(u32, u32), Errno> {
    let at = list.checked_add(index * 8).ok_or(Errno::FAULT)?;
    Ok((u32_at(memory, at)?, u32_at(memory, at.checked_add(4).ok_or(Errno::FAULT)?)?))
}

fn write(
    mut caller: Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    result: u32,
) -> wasmtime::Result<i32> {
    caller.data().tether.check_cancelled()?;
    let (memory, guest) = match stream(&mut caller, fd, fd != 0) {
        Ok(parts) => parts,
        Err(errno) => return Ok(code(Err(errno))),
    };
    if count > MAX_PARTS {
        return Ok(code(Err(Errno::INVAL)));
    }
    let mut written = 0;
    for index in 0..count {
        let bytes = part(memory, list, index)
            .and_then(|(at, len)| slice(memory, at, len.min(MOST - written)));
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(errno) => return Ok(code(Err(errno))),
        };
        let Guest { tether, stdout, stderr, .. } = &mut *guest;
        let sink = if fd == 1 { stdout } else { stderr };
        sink.write(tether, bytes)?;
        written += bytes.len() as u32;
        if written == MOST {
            break;
        }
    }
    Ok(code(put_u32(memory, result, written)))
}

fn read(
    mut caller: Caller<'_, Guest>,
    fd: u32,
    list: u32,
    count: u32,
    result: u32,
) -> wasmtime::Result<i32> {
    caller.data().tether.check_cancelled()?;
    let (memory, guest) = match stream(&mut caller, fd, fd == 0) {
        Ok(parts) => parts,
        Err(errno) => return Ok(code(Err(errno))),
    };
    // The first part with room takes what there is: a short read, as from any stream.
    for index in 0..count.min(MAX_PARTS) {
        let room = part(memory, list, index).and_then(|(at, len)| slice(memory, at, len.min(MOST)));
        match room {
            Ok([]) => {}
            Ok(room) => {
                return match guest.stdin.read(&guest.tether, room) {
                    Ok(len) => Ok(code(put_u32(memory, result, len as u32))),
                    Err(StreamError::Stop(stop)) => Err(stop.into()),
                    Err(StreamError::Io) => Ok(code(Err(Errno::IO))),
                };
            }
            Err(errno) => return Ok(code(Err(errno))),
        }
    }
    Ok(code(put_u32(memory, result, 0)))
}
