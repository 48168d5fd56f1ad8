//! [`Cache`]: compiled modules in a directory that belongs to this user alone.
//!
//! What is loaded from here is run unchecked, so nothing is trusted but the directory's owner: it
//! is opened once and used by its descriptor, every entry is read into memory of our own and
//! authenticated there. Whatever is wrong with an entry means that the module is compiled again.

mod artifact;
mod directory;
mod entry;
mod room;

use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::{Resource, getrlimit};
use wasmtime::Engine;

pub(crate) use self::directory::CacheError;
pub(crate) use self::entry::Verified;
use crate::check::Kind;

/// Bytes a cache may hold unless the caller says otherwise.
pub(crate) const DEFAULT_SIZE: u64 = 1 << 30;

/// A directory of compiled modules, shared with other processes of the same user.
pub(crate) struct Cache {
    directory: OwnedFd,
    key: [u8; 32],
    size: u64,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("size", &self.size).finish_non_exhaustive()
    }
}

/// What an entry is called: a hash of everything that the artifact depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; 32]);

impl Name {
    /// The name for a binary with this hash, compiled by this engine.
    pub(crate) fn new(engine: &Engine, content: &[u8; 32], kind: Kind) -> Self {
        let mut hasher = NameHasher(blake3::Hasher::new());
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        content.hash(&mut hasher);
        (kind == Kind::Component).hash(&mut hasher);
        Self(hasher.0.finalize().into())
    }

    fn file(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_string()
    }
}

struct NameHasher(blake3::Hasher);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

impl Cache {
    /// Opens the directory, which is made if it is missing; its parent is not.
    pub(crate) fn open(path: &Path, size: u64) -> Result<Self, CacheError> {
        let directory = directory::open(path)?;
        let key =
            directory::key(&directory).map_err(|source| directory::key_failed(path, source))?;
        Ok(Self { directory, key, size })
    }

    /// The artifact of this name, if there is one and it is whole.
    pub(crate) fn load(&self, name: &Name) -> Option<Verified> {
        let file = name.file();
        let sealed = match directory::read(&self.directory, &file, self.size) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(_) => {
                self.remove(&file);
                return None;
            }
        };
        let verified = entry::unseal(&self.key, &name.0, sealed);
        match verified {
            Some(_) => room::touch(&self.directory, &file),
            None => self.remove(&file),
        }
        verified
    }

    /// Keeps an artifact. What goes wrong costs a later run its time, and nothing else.
    pub(crate) fn store(&self, name: &Name, artifact: &[u8]) {
        let header = entry::seal(&self.key, &name.0, artifact);
        let len = (header.len() + artifact.len()) as u64;
        // Past this limit the kernel would kill the process, not refuse the write.
        let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        if len > self.size || len > limit {
            return;
        }
        let Ok(temporary) = directory::temporary_name() else { return };
        let kept = self.write(&temporary, &header, artifact).and_then(|()| {
            let file = name.file();
            Ok(rustix::fs::renameat(&self.directory, &temporary, &self.directory, file)?)
        });
        if kept.is_err() {
            self.remove(&temporary);
        }
        room::make(&self.directory, self.size, &name.file());
    }

    /// Takes out an entry that verified and yet could not be loaded.
    pub(crate) fn forget(&self, name: &Name) {
        self.remove(&name.file());
    }

    fn write(&self, file: &str, header: &[u8], artifact: &[u8]) -> std::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.directory, file, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(fd);
        file.write_all(header)?;
        file.write_all(artifact)
    }

    fn remove(&self, file: &str) {
        // A directory stays: it is not ours, and in its place nothing is kept.
        let _ = rustix::fs::unlinkat(&self.directory, file, AtFlags::empty());
    }
}

#[cfg(test)]
mod tests;
