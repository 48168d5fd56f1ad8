//! `wasi:filesystem`: the guest's files, one open file after the other.

mod types;

use std::sync::Arc;

use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource};

pub(super) use self::types::ErrorCode;
use self::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, MetadataHash,
    NewTimestamp, OpenFlags, PathFlags,
};
use super::streams::{InputStream, IoError, OutputStream};
use super::{function, resource};
use crate::files::{Descriptor, FileError, FileType, Files, NewTime, Outcome, Place, Stat};
use crate::wasi::Guest;

/// Most bytes of one read; a guest that asks for more gets less.
const MOST_READ: u64 = 64 << 10;

/// What a guest's handle of a descriptor stands for. Streams of a file keep it open.
type File = Arc<Descriptor>;
type This = Resource<File>;

/// The answer to a call, unless it stops the guest.
type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

/// A directory that is being listed, and how far.
struct Listing {
    directory: File,
    cookie: u64,
}

/// Takes a stop out of an outcome.
pub(super) fn settle<T>(outcome: Outcome<T>) -> Answer<T> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(FileError::Errno(errno)) => Ok(Err(errno.into())),
        Err(FileError::Stop(stop)) => Err(stop.into()),
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    resource::<File>(&mut types, "descriptor")?;
    resource::<Listing>(&mut types, "directory-entry-stream")?;
    link_streams(&mut types)?;
    link_file(&mut types)?;
    link_attributes(&mut types)?;
    link_paths(&mut types)?;
    link_names(&mut types)?;
    function(&mut types, "filesystem-error-code", |guest, (error,): (Resource<IoError>,)| {
        Ok(Some(guest.table.get(&error)?.0))
    })?;
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.12")?;
    function(&mut preopens, "get-directories", |guest, ()| {
        let root = guest.files.root();
        Ok(vec![(guest.table.push(Arc::new(root))?, "/".to_owned())])
    })
}

/// Adds a method of descriptors.
fn method<P, R>(
    types: &mut LinkerInstance<'_, Guest>,
    name: &str,
    body: impl Fn(&mut Guest, P) -> Answer<R> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + 'static,
    R: Lower + Send + 'static,
{
    function(types, &format!("[method]descriptor.{name}"), body)
}

/// Does something with what a guest has open.
fn on<T>(
    guest: &mut Guest,
    this: &This,
    body: impl FnOnce(&mut Files, &Descriptor) -> Outcome<T>,
) -> Answer<T> {
    let Guest { files, table, .. } = guest;
    settle(body(files, table.get(this)?))
}

fn link_streams(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    method(types, "read-via-stream", |guest, (this, at): (This, u64)| {
        let file = Arc::clone(guest.table.get(&this)?);
        if !file.can_read() {
            return Ok(Err(ErrorCode::BadDescriptor));
        }
        Ok(Ok(guest.table.push(InputStream::File { file, at })?))
    })?;
    let output = |guest: &mut Guest, this: &This, place| -> Answer<Resource<OutputStream>> {
        let file = Arc::clone(guest.table.get(this)?);
        if !file.can_write() || file.kind() == FileType::Directory {
            return Ok(Err(ErrorCode::BadDescriptor));
        }
        Ok(Ok(guest.table.push(OutputStream::File { file, place })?))
    };
    method(types, "write-via-stream", move |guest, (this, at): (This, u64)| {
        output(guest, &this, Place::At(at))
    })?;
    method(types, "append-via-stream", move |guest, (this,): (This,)| {
        output(guest, &this, Place::End)
    })
}

fn link_file(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    method(types, "advise", |guest, (this, _, _, _): (This, u64, u64, Advice)| {
        guest.table.get(&this)?;
        Ok(Ok(()))
    })?;
    for name in ["sync", "sync-data"] {
        method(types, name, |guest, (this,): (This,)| on(guest, &this, Files::sync))?;
    }
    method(types, "read", |guest, (this, len, at): (This, u64, u64)| {
        on(guest, &this, |files, file| {
            let mut bytes = vec![0; len.min(MOST_READ) as usize];
            let read = files.read(file, at, &mut bytes)?;
            bytes.truncate(read);
            Ok((bytes, read == 0 && len > 0))
        })
    })?;
    method(types, "write", |guest, (this, bytes, at): (This, Vec<u8>, u64)| {
        on(guest, &this, |files, file| {
            files.write(file, Place::At(at), &bytes).map(|(len, _)| len as u64)
        })
    })?;
    method(types, "set-size", |guest, (this, size): (This, u64)| {
        on(guest, &this, |files, file| files.resize(file, size))
    })
}

fn link_attributes(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    method(types, "get-flags", |guest, (this,): (This,)| {
        Ok(Ok(DescriptorFlags::of(guest.table.get(&this)?)))
    })?;
    method(types, "get-type", |guest, (this,): (This,)| {
        Ok(Ok(DescriptorType::from(guest.table.get(&this)?.kind())))
    })?;
    method(types, "stat", |guest, (this,): (This,)| {
        on(guest, &this, |files, file| files.stat(file).map(DescriptorStat::from))
    })?;
    method(types, "stat-at", |guest, (this, how, path): (This, PathFlags, String)| {
        on(guest, &this, |files, at| {
            files.stat_at(at, path.as_bytes(), how.follows()).map(DescriptorStat::from)
        })
    })?;
    method(types, "set-times", |guest, (this, a, m): (This, NewTimestamp, NewTimestamp)| {
        timed((a, m), |accessed, modified| {
            on(guest, &this, |files, file| files.set_times(file, accessed, modified))
        })
    })?;
    type SetTimesAt = (This, PathFlags, String, NewTimestamp, NewTimestamp);
    method(types, "set-times-at", |guest, (this, how, path, a, m): SetTimesAt| {
        timed((a, m), |accessed, modified| {
            on(guest, &this, |files, at| {
                files.set_times_at(at, path.as_bytes(), how.follows(), accessed, modified)
            })
        })
    })?;
    function(types, "[method]descriptor.is-same-object", |guest, (this, other): (This, This)| {
        let place = |stat: Stat| (stat.device, stat.inode);
        let one = on(guest, &this, |files, file| files.stat(file).map(place))?;
        let two = on(guest, &other, |files, file| files.stat(file).map(place))?;
        Ok(one.is_ok() && one.ok() == two.ok())
    })?;
    method(types, "metadata-hash", |guest, (this,): (This,)| {
        on(guest, &this, |files, file| files.stat(file).map(MetadataHash::from))
    })?;
    method(types, "metadata-hash-at", |guest, (this, how, path): (This, PathFlags, String)| {
        on(guest, &this, |files, at| {
            files.stat_at(at, path.as_bytes(), how.follows()).map(MetadataHash::from)
        })
    })
}

fn link_paths(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type OpenAt = (This, PathFlags, String, OpenFlags, DescriptorFlags);
    method(types, "open-at", |guest, (this, how, path, open, flags): OpenAt| {
        let how = types::open_how(how, open, flags);
        let opened = on(guest, &this, |files, at| files.open(at, path.as_bytes(), how))?;
        opened.map_or_else(|code| Ok(Err(code)), |file| Ok(Ok(guest.table.push(Arc::new(file))?)))
    })?;
    method(types, "create-directory-at", |guest, (this, path): (This, String)| {
        on(guest, &this, |files, at| files.create_dir(at, path.as_bytes()))
    })?;
    method(types, "remove-directory-at", |guest, (this, path): (This, String)| {
        on(guest, &this, |files, at| files.remove_dir(at, path.as_bytes()))
    })?;
    method(types, "unlink-file-at", |guest, (this, path): (This, String)| {
        on(guest, &this, |files, at| files.unlink(at, path.as_bytes()))
    })?;
    method(types, "readlink-at", |guest, (this, path): (This, String)| {
        let target = on(guest, &this, |files, at| files.read_link(at, path.as_bytes()))?;
        Ok(target.and_then(text))
    })?;
    method(types, "symlink-at", |guest, (this, target, path): (This, String, String)| {
        on(guest, &this, |files, at| files.symlink(target.as_bytes(), at, path.as_bytes()))
    })
}

/// What works on two directories, and listing one.
fn link_names(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    method(types, "rename-at", |guest, (this, from, to, path): (This, String, This, String)| {
        let to = Arc::clone(guest.table.get(&to)?);
        on(guest, &this, |files, at| files.rename((at, from.as_bytes()), (&to, path.as_bytes())))
    })?;
    type LinkAt = (This, PathFlags, String, This, String);
    method(types, "link-at", |guest, (this, how, from, to, path): LinkAt| {
        let to = Arc::clone(guest.table.get(&to)?);
        if how.follows() {
            return Ok(Err(ErrorCode::Invalid));
        }
        on(guest, &this, |files, at| files.link((at, from.as_bytes()), (&to, path.as_bytes())))
    })?;
    method(types, "read-directory", |guest, (this,): (This,)| {
        let directory = Arc::clone(guest.table.get(&this)?);
        if directory.kind() != FileType::Directory {
            return Ok(Err(ErrorCode::NotDirectory));
        }
        Ok(Ok(guest.table.push(Listing { directory, cookie: 0 })?))
    })?;
    function(
        types,
        "[method]directory-entry-stream.read-directory-entry",
        |guest, (this,): (Resource<Listing>,)| next_entry(guest, &this),
    )
}

/// The next entry of a listing; the directory itself and the one above are not among them.
fn next_entry(guest: &mut Guest, this: &Resource<Listing>) -> Answer<Option<DirectoryEntry>> {
    let Guest { files, table, .. } = guest;
    let Listing { directory, cookie } = table.get_mut(this)?;
    loop {
        let entry = match settle(files.read_dir(directory, *cookie))? {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Ok(None)),
            Err(code) => return Ok(Err(code)),
        };
        *cookie = entry.next;
        if entry.name != b"." && entry.name != b".." {
            let kind = entry.kind.into();
            return Ok(text(entry.name).map(|name| Some(DirectoryEntry { kind, name })));
        }
    }
}

/// A name of the host's as the interface can say it.
fn text(name: Vec<u8>) -> Result<String, ErrorCode> {
    String::from_utf8(name).map_err(|_| ErrorCode::IllegalByteSequence)
}

/// Calls `body` with two times, if they are times.
fn timed(
    (accessed, modified): (NewTimestamp, NewTimestamp),
    body: impl FnOnce(NewTime, NewTime) -> Answer<()>,
) -> Answer<()> {
    match (accessed.time(), modified.time()) {
        (Some(accessed), Some(modified)) => body(accessed, modified),
        _ => Ok(Err(ErrorCode::Invalid)),
    }
}
