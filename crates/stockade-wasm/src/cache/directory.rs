//! The directory, its key, and reading from it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use stockade_core::{Error, ErrorKind};

/// Name of the file that holds the key.
const KEY: &str = "key";
/// Names of files that are being written.
pub(super) const TEMPORARY: &str = "tmp-";

/// Why a directory cannot hold the cache.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("the cache directory {path:?} cannot be opened")]
    Open { path: PathBuf, source: io::Error },
    #[error("the cache directory {path:?} is a link or no directory")]
    NotADirectory { path: PathBuf },
    #[error("the cache directory {path:?} belongs to user {owner}, and this is user {user}")]
    Owner { path: PathBuf, owner: u32, user: u32 },
    #[error("the cache directory {path:?} is open to other users: its mode is {mode:04o}")]
    Mode { path: PathBuf, mode: u32 },
    #[error("the key in the cache directory {path:?} can be neither read nor made")]
    Key { path: PathBuf, source: io::Error },
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        let (kind, hint) = match &error {
            CacheError::Open { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => (ErrorKind::NotFound, "make its parent directory"),
                io::ErrorKind::PermissionDenied => {
                    (ErrorKind::PermissionDenied, "name a directory of this user")
                }
                _ => (ErrorKind::Io, "name a directory on a local file system"),
            },
            CacheError::NotADirectory { .. } => {
                (ErrorKind::InvalidPolicy, "name the directory itself")
            }
            CacheError::Owner { .. } => (
                ErrorKind::PermissionDenied,
                "what it holds would be run; name a directory of this user",
            ),
            CacheError::Mode { .. } => {
                (ErrorKind::PermissionDenied, "what it holds would be run; make its mode 0700")
            }
            CacheError::Key { .. } => (ErrorKind::Io, "is the file system full or read-only?"),
        };
        Self::new(kind, error).with_hint(hint)
    }
}

pub(super) fn key_failed(path: &Path, source: io::Error) -> CacheError {
    CacheError::Key { path: path.to_owned(), source }
}

/// Opens the directory, made with mode 0700 if it is missing. From here on its path is not used.
pub(super) fn open(path: &Path) -> Result<OwnedFd, CacheError> {
    let failed = |errno: Errno| CacheError::Open { path: path.to_owned(), source: errno.into() };
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => CacheError::NotADirectory { path: path.to_owned() },
        errno => failed(errno),
    })?;
    let stat = rustix::fs::fstat(&directory).map_err(failed)?;
    let user = geteuid().as_raw();
    if stat.st_uid != user {
        return Err(CacheError::Owner { path: path.to_owned(), owner: stat.st_uid, user });
    }
    if is_open_to_others(&stat) {
        return Err(CacheError::Mode { path: path.to_owned(), mode: stat.st_mode & 0o7777 });
    }
    Ok(directory)
}

fn is_open_to_others(stat: &Stat) -> bool {
    stat.st_mode & 0o077 != 0
}

/// The key of this directory, made if it is missing. One that may be known is replaced, and with
/// it everything that it vouched for.
pub(super) fn key(directory: &OwnedFd) -> io::Result<[u8; 32]> {
    // Another process may take the same step in between, but not for ever.
    for _ in 0..8 {
        match read(directory, KEY, 32).map(<[u8; 32]>::try_from) {
            Ok(Ok(key)) => return Ok(key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => remove(directory, KEY)?,
        }
        make_key(directory)?;
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// A link and not a rename: of two processes, the second must find the key of the first.
fn make_key(directory: &OwnedFd) -> io::Result<()> {
    let (temporary, key) = (temporary_name()?, random::<32>()?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = rustix::fs::openat(directory, &temporary, flags, mode)?;
    let made = io::Write::write_all(&mut File::from(file), &key).and_then(|()| {
        match rustix::fs::linkat(directory, &temporary, directory, KEY, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    });
    remove(directory, &temporary)?;
    made
}

fn remove(directory: &OwnedFd, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The bytes of a file that is this user's alone and not longer than `max`.
pub(super) fn read(directory: &OwnedFd, name: &str, max: u64) -> io::Result<Vec<u8>> {
    // A FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let ours = stat.st_uid == geteuid().as_raw() && !is_open_to_others(&stat);
    if !(regular && ours && size <= max) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(size).map_err(|_| io::ErrorKind::InvalidData)?;
    bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
    File::from(file).take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name that no other process uses.
pub(super) fn temporary_name() -> io::Result<String> {
    Ok(format!("{TEMPORARY}{:032x}", u128::from_le_bytes(random()?)))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // Up to 256 bytes are given whole.
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if got == N { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
