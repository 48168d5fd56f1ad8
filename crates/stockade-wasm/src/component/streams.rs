//! `wasi:io/streams` and `wasi:io/error`.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceTable};

use super::filesystem::{ErrorCode, settle};
use super::poll::Pollable;
use super::{Misuse, function, resource};
use crate::files::{Descriptor, Place};
use crate::streams;
use crate::wasi::Guest;

/// Most bytes of one read; a guest that asks for more gets less.
const MOST_READ: u64 = 64 << 10;
/// Most bytes of one write. Writing waits where it has to, and can be stopped there, so that a
/// stream permits as much at any time.
const PERMIT: u64 = 1 << 20;
/// Most bytes of one write that flushes, by the interface.
const MOST_FLUSHED: u64 = 4096;

/// What a guest reads from.
pub(super) enum InputStream {
    Stdin,
    File { file: Arc<Descriptor>, at: u64 },
}

/// What a guest writes to.
pub(super) enum OutputStream {
    Stdout,
    Stderr,
    File { file: Arc<Descriptor>, place: Place },
}

/// Why a stream failed.
pub(super) struct IoError(pub(super) ErrorCode);

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// The answer to a call, unless it stops the guest.
type Answer<T> = wasmtime::Result<Result<T, StreamError>>;

/// Whether a read waits until there is something.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Yes,
    No,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.12")?;
    resource::<IoError>(&mut error, "error")?;
    function(
        &mut error,
        "[method]error.to-debug-string",
        |guest, (this,): (Resource<IoError>,)| Ok(format!("{:?}", guest.table.get(&this)?.0)),
    )?;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    resource::<InputStream>(&mut streams, "input-stream")?;
    resource::<OutputStream>(&mut streams, "output-stream")?;
    link_input(&mut streams)?;
    link_output(&mut streams)?;
    link_waiting(&mut streams)
}

type Reading = (Resource<InputStream>, u64);
type Writing = (Resource<OutputStream>, Vec<u8>);
type Zeroing = (Resource<OutputStream>, u64);
type Splicing = (Resource<OutputStream>, Resource<InputStream>, u64);

fn link_input(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for (name, wait) in [("read", Wait::No), ("blocking-read", Wait::Yes)] {
        let name = format!("[method]input-stream.{name}");
        function(streams, &name, move |guest, (this, len): Reading| read(guest, &this, len, wait))?;
    }
    for (name, wait) in [("skip", Wait::No), ("blocking-skip", Wait::Yes)] {
        let name = format!("[method]input-stream.{name}");
        function(streams, &name, move |guest, (this, len): Reading| {
            Ok(read(guest, &this, len, wait)?.map(|bytes| bytes.len() as u64))
        })?;
    }
    function(
        streams,
        "[method]input-stream.subscribe",
        |guest, (this,): (Resource<InputStream>,)| {
            let pollable = match guest.table.get(&this)? {
                InputStream::Stdin => Pollable::Stdin,
                InputStream::File { .. } => Pollable::Ready,
            };
            Ok(guest.table.push(pollable)?)
        },
    )
}

fn link_output(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for (name, most) in [("write", PERMIT), ("blocking-write-and-flush", MOST_FLUSHED)] {
        let name = format!("[method]output-stream.{name}");
        function(streams, &name, move |guest, (this, bytes): Writing| {
            permit(bytes.len() as u64, most)?;
            write(guest, &this, &bytes)
        })?;
    }
    let zeroing = [("write-zeroes", PERMIT), ("blocking-write-zeroes-and-flush", MOST_FLUSHED)];
    for (name, most) in zeroing {
        let name = format!("[method]output-stream.{name}");
        function(streams, &name, move |guest, (this, len): Zeroing| {
            permit(len, most)?;
            write(guest, &this, &vec![0; len as usize])
        })?;
    }
    for (name, wait) in [("splice", Wait::No), ("blocking-splice", Wait::Yes)] {
        let name = format!("[method]output-stream.{name}");
        function(streams, &name, move |guest, (this, from, len): Splicing| {
            match read(guest, &from, len, wait)? {
                Ok(bytes) => Ok(write(guest, &this, &bytes)?.map(|()| bytes.len() as u64)),
                Err(error) => Ok(Err(error)),
            }
        })?;
    }
    Ok(())
}

/// What has nothing to do, since nothing is held back.
fn link_waiting(streams: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for name in ["flush", "blocking-flush"] {
        let name = format!("[method]output-stream.{name}");
        function(streams, &name, |guest, (this,): (Resource<OutputStream>,)| {
            guest.table.get(&this)?;
            Ok(Ok::<(), StreamError>(()))
        })?;
    }
    function(
        streams,
        "[method]output-stream.check-write",
        |guest, (this,): (Resource<OutputStream>,)| {
            guest.table.get(&this)?;
            Ok(Ok::<u64, StreamError>(PERMIT))
        },
    )?;
    function(
        streams,
        "[method]output-stream.subscribe",
        |guest, (this,): (Resource<OutputStream>,)| {
            guest.table.get(&this)?;
            Ok(guest.table.push(Pollable::Ready)?)
        },
    )
}

fn permit(len: u64, most: u64) -> wasmtime::Result<()> {
    if len > most { Err(Misuse::error("a write of more than was permitted")) } else { Ok(()) }
}

fn failed<T>(table: &mut ResourceTable, code: ErrorCode) -> Answer<T> {
    Ok(Err(StreamError::LastOperationFailed(table.push(IoError(code))?)))
}

fn read(guest: &mut Guest, this: &Resource<InputStream>, len: u64, wait: Wait) -> Answer<Vec<u8>> {
    let is_stdin = matches!(guest.table.get(this)?, InputStream::Stdin);
    if len == 0 || is_stdin && wait == Wait::No && !guest.stdin.is_ready() {
        return Ok(Ok(Vec::new()));
    }
    let Guest { tether, stdin, files, table, .. } = guest;
    let mut bytes = vec![0; len.min(MOST_READ) as usize];
    let outcome = match table.get_mut(this)? {
        InputStream::Stdin => match stdin.read(tether, &mut bytes) {
            Ok(len) => Ok(len),
            Err(streams::StreamError::Stop(stop)) => return Err(stop.into()),
            Err(streams::StreamError::Io) => Err(ErrorCode::Io),
        },
        InputStream::File { file, at } => settle(files.read(file, *at, &mut bytes))?
            .inspect(|len| *at = at.saturating_add(*len as u64)),
    };
    match outcome {
        Ok(0) => Ok(Err(StreamError::Closed)),
        Ok(len) => {
            bytes.truncate(len);
            Ok(Ok(bytes))
        }
        Err(code) => failed(table, code),
    }
}

fn write(guest: &mut Guest, this: &Resource<OutputStream>, bytes: &[u8]) -> Answer<()> {
    let Guest { tether, stdout, stderr, files, table, .. } = guest;
    match table.get_mut(this)? {
        OutputStream::Stdout => stdout.write(tether, bytes)?,
        OutputStream::Stderr => stderr.write(tether, bytes)?,
        OutputStream::File { file, place } => {
            let mut rest = bytes;
            while !rest.is_empty() {
                match settle(files.write(file, *place, rest))? {
                    Ok((0, _)) => return failed(table, ErrorCode::Io),
                    Ok((len, _)) => {
                        rest = &rest[len..];
                        if let Place::At(at) = place {
                            *at = at.saturating_add(len as u64);
                        }
                    }
                    Err(code) => return failed(table, code),
                }
            }
        }
    }
    Ok(Ok(()))
}
