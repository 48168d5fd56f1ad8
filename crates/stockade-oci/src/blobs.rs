//! The directory of an image layout, from which nothing leads out.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use stockade_core::{Error, ErrorKind, Result};

use crate::digest::{Digest, Size, Verifier};
use crate::failure;

/// Largest manifest, index or configuration that is read, in bytes.
pub(crate) const LARGEST_DOCUMENT: u64 = 4 << 20;

/// What some bytes are, how many, and their digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Descriptor {
    /// Their media type.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
}

impl Descriptor {
    /// Checks what a document says of other bytes.
    pub(crate) fn read(descriptor: &oci_spec::image::Descriptor) -> Result<Self> {
        Ok(Self {
            media_type: descriptor.media_type().to_string(),
            digest: descriptor.digest().as_ref().parse()?,
            size: descriptor.size(),
        })
    }
}

/// Why bytes of an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the image lacks {digest}: there is no {}", path.display())]
    Missing { digest: Digest, path: PathBuf },
    #[error("{} has {found} bytes, and should have {expected}", path.display())]
    Size { path: PathBuf, expected: u64, found: u64 },
    #[error("{what} has {size} bytes, more than the {LARGEST_DOCUMENT} that are read")]
    TooLarge { what: String, size: u64 },
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        let (kind, hint) = match &error {
            BlobError::Unreadable { source, .. } => failure::of_file(source),
            BlobError::Missing { .. } => {
                (ErrorKind::NotFound, "the image is incomplete; get it again")
            }
            BlobError::Size { .. } => {
                (ErrorKind::InvalidPolicy, "the image is damaged; get it again")
            }
            BlobError::TooLarge { .. } => {
                (ErrorKind::InvalidPolicy, "no image needs such a document")
            }
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// Opens a regular file beneath a directory, through no link. A FIFO is not waited for.
pub(crate) fn open_beneath(directory: impl AsFd, path: &str) -> io::Result<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve)?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    Ok((file.into(), u64::try_from(stat.st_size).unwrap_or_default()))
}

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    directory: Arc<OwnedFd>,
    path: PathBuf,
}

impl Blobs {
    /// A directory that is open, and its path, for messages.
    pub(crate) fn new(directory: OwnedFd, path: &Path) -> Self {
        Self { directory: Arc::new(directory), path: path.to_owned() }
    }

    /// The directory itself.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Its path, for messages and for those who mount what is in it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that a descriptor names, verified as they are read.
    pub(crate) fn open(&self, descriptor: &Descriptor) -> Result<Verifier<File>> {
        let digest = &descriptor.digest;
        let path = digest.blob_path();
        let whole = || self.path.join(&path);
        let (file, found) =
            open_beneath(self.directory(), &path).map_err(|source| match source {
                missing if missing.kind() == io::ErrorKind::NotFound => {
                    BlobError::Missing { digest: digest.clone(), path: whole() }
                }
                source => BlobError::Unreadable { path: whole(), source },
            })?;
        let expected = descriptor.size;
        if found != expected {
            return Err(BlobError::Size { path: whole(), expected, found }.into());
        }
        Ok(Verifier::new(file, digest.clone(), Size::Exactly(expected)))
    }

    /// A manifest, an index or a configuration, verified.
    pub(crate) fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > LARGEST_DOCUMENT {
            return Err(BlobError::TooLarge { what: digest.to_string(), size: *size }.into());
        }
        let mut verifier = self.open(descriptor)?;
        // At once, and not in pieces that double: each start of a program of an image reads two.
        let mut bytes = Vec::with_capacity(usize::try_from(*size).unwrap_or_default());
        match verifier.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(match verifier.mismatch() {
                Some(mismatch) => mismatch.clone().into(),
                None => {
                    let path = self.path.join(digest.blob_path());
                    BlobError::Unreadable { path, source }.into()
                }
            }),
        }
    }

    /// A file of the layout itself, which nothing verifies.
    pub(crate) fn file(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path.join(name);
        let unreadable = |source| BlobError::Unreadable { path: path.clone(), source };
        let (file, size) = open_beneath(self.directory(), name).map_err(unreadable)?;
        let expected = usize::try_from(size.min(LARGEST_DOCUMENT)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(expected);
        // It may grow in between.
        file.take(LARGEST_DOCUMENT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if size.max(bytes.len() as u64) > LARGEST_DOCUMENT {
            return Err(BlobError::TooLarge { what: path.display().to_string(), size }.into());
        }
        Ok(bytes)
    }
}
