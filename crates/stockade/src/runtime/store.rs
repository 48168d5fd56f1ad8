//! Where runtimes are kept: one directory of the user's, one file per runtime.
//!
//! The hash of a module is part of its name, so that one rename puts both in place.

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use stockade_core::{Error, ErrorKind, Result};

use super::{Language, Runtime};

/// Largest module that is installed, in bytes; the backend would run no larger one.
const LARGEST: u64 = 128 << 20;
/// Bits of a mode by which others may write.
const OTHERS_WRITE: u32 = 0o022;
const MAGIC: &[u8; 4] = b"\0asm";

/// Why runtimes cannot be kept or used.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("neither XDG_CACHE_HOME nor HOME names an absolute path")]
    NoHome,
    #[error("cannot use {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} belongs to another user, or others may write it", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is not what was installed: its SHA-256 is {found}", path.display())]
    Changed { path: PathBuf, found: String },
    #[error("{} is no WebAssembly: it does not begin with `\\0asm`", path.display())]
    NotWasm { path: PathBuf },
    #[error("{} is larger than {LARGEST} bytes, or no regular file", path.display())]
    Unfit { path: PathBuf },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::NoHome => (ErrorKind::NotFound, "set XDG_CACHE_HOME or HOME"),
            StoreError::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
                io::ErrorKind::PermissionDenied => {
                    (ErrorKind::PermissionDenied, "check owner and mode")
                }
                _ => (ErrorKind::Io, "is there room, and is it writable?"),
            },
            StoreError::Foreign { .. } => (
                ErrorKind::PermissionDenied,
                "remove it and install the runtime again, as the user who runs it",
            ),
            StoreError::Changed { .. } => (ErrorKind::InvalidPolicy, "install the runtime again"),
            StoreError::NotWasm { .. } | StoreError::Unfit { .. } => {
                (ErrorKind::InvalidPolicy, "name the .wasm file of a runtime")
            }
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// An error of a file, with its name.
pub(super) fn io_error(path: &Path, source: io::Error) -> Error {
    StoreError::Io { path: path.to_owned(), source }.into()
}

/// The directory.
pub(super) struct Store(PathBuf);

/// A private directory for one installation, removed with this value.
pub(super) struct Workshop(PathBuf);

impl Workshop {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be removed is in the user's own cache.
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

impl Store {
    /// The directory, which need not be there yet.
    pub(super) fn open() -> Result<Self> {
        let path = super::user_cache().ok_or(StoreError::NoHome)?.join("runtimes");
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_dir() || !is_ours(&metadata) => {
                Err(StoreError::Foreign { path }.into())
            }
            Ok(_) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(path)),
            Err(error) => Err(io_error(&path, error)),
        }
    }

    /// The directory, made if it is not there.
    pub(super) fn create() -> Result<Self> {
        let store = Self::open()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&store.0);
        made.map_err(|error| io_error(&store.0, error))?;
        Self::open()
    }

    /// A fresh directory on the same filesystem.
    pub(super) fn workshop(&self) -> Result<Workshop> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.0.join(format!(".build-{}-{count}", std::process::id()));
        let make = || DirBuilder::new().mode(0o700).create(&path);
        let made = make().or_else(|error| {
            // A killed installation with the same process id left it.
            if error.kind() == io::ErrorKind::AlreadyExists && fs::remove_dir_all(&path).is_ok() {
                make()
            } else {
                Err(error)
            }
        });
        made.map_err(|error| io_error(&path, error))?;
        Ok(Workshop(path))
    }

    /// What is installed for a language, after its bytes were compared with its name.
    pub(super) fn find(&self, language: Language) -> Result<Option<Runtime>> {
        let Some((path, sha256)) = self.modules(language)?.into_iter().next() else {
            return Ok(None);
        };
        let mut file = open(&path)?;
        let metadata = file.metadata().map_err(|error| io_error(&path, error))?;
        if !is_ours(&metadata) {
            return Err(StoreError::Foreign { path }.into());
        }
        let (size, found) = digest(&mut file, &mut io::sink(), &path)?;
        if found != sha256 {
            return Err(StoreError::Changed { path, found }.into());
        }
        Ok(Some(Runtime { language, path, sha256, size }))
    }

    /// Puts a module in place of what is installed.
    pub(super) fn place(&self, language: Language, module: &Path, notice: &str) -> Result<Runtime> {
        let mut file = open(module)?;
        let mut magic = [0; MAGIC.len()];
        let begins = file.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        if !begins {
            return Err(StoreError::NotWasm { path: module.to_owned() }.into());
        }
        let mut file = open(module)?;
        let (size, sha256) = digest(&mut file, &mut io::sink(), module)?;
        let path = self.0.join(format!("{language}-{sha256}.wasm"));
        let beside = path.with_extension("NOTICE");
        let private = Permissions::from_mode(0o600);
        let placed = file
            .set_permissions(private)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::write(&beside, notice))
            .and_then(|()| fs::rename(module, &path));
        placed.map_err(|error| io_error(&path, error))?;
        for (other, _) in self.modules(language)? {
            if other != path {
                remove(&other)?;
            }
        }
        Ok(Runtime { language, path, sha256, size })
    }

    /// Removes what is installed for a language.
    pub(super) fn remove(&self, language: Language) -> Result<bool> {
        let modules = self.modules(language)?;
        modules.iter().try_for_each(|(path, _)| remove(path))?;
        Ok(!modules.is_empty())
    }

    /// The modules of a language and their hashes, the newest first.
    fn modules(&self, language: Language) -> Result<Vec<(PathBuf, String)>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error(&self.0, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| io_error(&self.0, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let hash = name.strip_prefix(language.name()).and_then(|rest| rest.strip_prefix('-'));
            let Some(hash) = hash.and_then(|rest| rest.strip_suffix(".wasm")) else { continue };
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            found.push((changed.ok(), entry.path(), hash.to_owned()));
        }
        found.sort_by_key(|(changed, ..)| Reverse(*changed));
        Ok(found.into_iter().map(|(_, path, hash)| (path, hash)).collect())
    }
}

/// Copies a file that the caller named into a directory of ours.
pub(super) fn copy(from: &Path, to: &Path) -> Result<PathBuf> {
    let mut source = open(from)?;
    let mut target = File::create(to).map_err(|error| io_error(to, error))?;
    let (_, _) = digest(&mut source, &mut target, from)?;
    Ok(to.to_owned())
}

/// Opens a regular file, without waiting for whoever writes a FIFO.
fn open(path: &Path) -> Result<File> {
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path);
    let file = file.map_err(|error| io_error(path, error))?;
    let metadata = file.metadata().map_err(|error| io_error(path, error))?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(StoreError::Unfit { path: path.to_owned() }.into());
    }
    Ok(file)
}

/// Copies a file; answers how long it is and its SHA-256.
fn digest(file: &mut File, to: &mut impl Write, path: &Path) -> Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(|error| io_error(path, error))?;
        if count == 0 {
            break;
        }
        size += count as u64;
        if size > LARGEST {
            return Err(StoreError::Unfit { path: path.to_owned() }.into());
        }
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(|error| io_error(path, error))?;
    }
    let hash = hash.finalize();
    Ok((size, hash.iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn remove(module: &Path) -> Result<()> {
    for path in [module.to_owned(), module.with_extension("NOTICE")] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether nobody else can have written it.
fn is_ours(metadata: &fs::Metadata) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    metadata.uid() == owner && metadata.mode() & OTHERS_WRITE == 0
}
