//! Where the command line keeps compiled code.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use stockade::runtime::user_cache;
use stockade::{Error, ErrorKind, Result};

/// A directory that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {}", path.display())]
struct CacheError {
    path: PathBuf,
    source: io::Error,
}

/// `modules` in the user's cache, whose parents are made if they are missing, closed to others.
/// `None` for a user without a home.
pub(crate) fn modules() -> Option<Result<PathBuf>> {
    let path = user_cache()?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
    Some(match made {
        Ok(()) => Ok(path.join("modules")),
        Err(source) => Err(Error::new(ErrorKind::Io, CacheError { path, source })),
    })
}
