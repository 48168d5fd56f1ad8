//! [`LayerError`]: which entry of a layer is at fault, and how.

use std::fmt;
use std::io;

use rustix::io::Errno;
use stockade_core::{Error, ErrorKind};

/// Characters of a name that a message shows at most.
const SHOWN: usize = 200;

/// Which part of a layer an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The entry of this name, as it is written in the archive.
    Entry(Vec<u8>),
    /// The header that begins at this byte of the archive, whose name is not known.
    Header(u64),
    /// What follows the archive's last entry.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(name) => write!(f, "entry `{}`", shown(name)),
            Self::Header(offset) => write!(f, "the header at byte {offset}"),
            Self::End => f.write_str("the end of the archive"),
        }
    }
}

/// A name fit for a message: on one line, and not longer than a reader can bear.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Why an entry is not unpacked. Each message goes on where [`Place`] ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("has `..` in its name")]
    Climbs,
    #[error("has a NUL byte in {field}")]
    Nul { field: &'static str },
    #[error("has an empty {field}")]
    Empty { field: &'static str },
    #[error("has a {field} of {length} bytes, where at most {bound} can be")]
    TooLong { field: &'static str, length: u64, bound: u64 },
    #[error("is {depth} directories deep, where at most {bound} can be")]
    TooDeep { depth: usize, bound: usize },
    #[error("leads to where paths are longer than the file system has them")]
    Path,
    #[error("stands for the root itself, which can only be a directory")]
    Root,
    #[error("has a reserved name: `.wh.` begins the name of a whiteout")]
    Reserved,
    #[error("has the name of a whiteout, and is not an empty file")]
    Whiteout,
    #[error("is a device node")]
    Device,
    #[error("is a FIFO")]
    Fifo,
    #[error("is a sparse file")]
    Sparse,
    #[error("is of the unknown type {}", char::from(*.0).escape_debug())]
    Type(u8),
    #[error("has contents, {size} bytes, which only a file can have")]
    Contents { size: u64 },
    #[error("has the size {header} in its header and {extended} in its extended header")]
    SizeMismatch { header: u64, extended: u64 },
    #[error("has {what} twice")]
    Twice { what: &'static str },
    #[error("has no valid {field}")]
    Malformed { field: &'static str },
    #[error("describes an entry that does not follow")]
    Dangling,
    #[error("sets `{}` for all entries that follow", shown(.0))]
    Global(Vec<u8>),
    #[error("is followed by something else than zeros")]
    Trailing,
    #[error("ends early")]
    Truncated,
    #[error("goes beyond the bound of {bound} bytes for the contents of all layers")]
    Bytes { bound: u64 },
    #[error("goes beyond the bound of {bound} entries for all layers")]
    Entries { bound: u64 },
    #[error("goes beyond the bound of {bound} bytes for the names of directories")]
    Names { bound: u64 },
    #[error("has a parent that is not a directory")]
    ParentKind,
    #[error("has a parent that leads through too many symbolic links")]
    ParentLoop,
    #[error("leads into another file system")]
    Mount,
    #[error("links to `{}`, which does not exist", shown(.target))]
    TargetMissing { target: Vec<u8> },
    #[error("links to `{}`, which is not a regular file", shown(.target))]
    TargetKind { target: Vec<u8> },
}

impl Refusal {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Device | Self::Fifo | Self::Sparse | Self::Type(_) => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidPolicy,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Device => {
                Some("sandboxes have devices of their own: build the image without device nodes")
            }
            Self::Fifo => Some("have the program make the FIFO when it starts"),
            Self::Sparse => Some("write the layer without sparse files"),
            Self::Bytes { .. } | Self::Entries { .. } | Self::Names { .. } => {
                Some("raise the bound, if the image is meant to be that large")
            }
            Self::Malformed { field: "checksum" } => {
                Some("a layer is a tar archive, plain or compressed with gzip or Zstandard")
            }
            Self::Truncated => Some("load or pull the image once more"),
            _ => None,
        }
    }
}

/// What stopped an entry, before it is said which.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The archive is at fault.
    Refused(Refusal),
    /// The file system would not have it.
    Failed { action: &'static str, source: io::Error },
    /// The archive cannot be read.
    Unreadable(io::Error),
}

impl Trouble {
    /// For `map_err`: the file system would not let us do `action`.
    pub(super) fn failed(action: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| match errno {
            Errno::XDEV => Self::Refused(Refusal::Mount),
            Errno::NAMETOOLONG => Self::Refused(Refusal::Path),
            _ => Self::Failed { action, source: errno.into() },
        }
    }

    pub(super) fn at(self, place: Place) -> LayerError {
        match self {
            Self::Refused(refusal) => LayerError::Refused { place, refusal },
            Self::Failed { action, source } => LayerError::Failed { place, action, source },
            Self::Unreadable(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                LayerError::Refused { place, refusal: Refusal::Truncated }
            }
            Self::Unreadable(source) => LayerError::Unreadable { place, source },
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why a layer is not unpacked, or a tree not removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayerError {
    #[error("in the layer, {place} {refusal}")]
    Refused { place: Place, refusal: Refusal },
    #[error("in the layer, {place}: cannot {action}")]
    Failed { place: Place, action: &'static str, source: io::Error },
    #[error("in the layer, {place} cannot be read")]
    Unreadable { place: Place, source: io::Error },
    #[error("cannot unpack into the directory")]
    Root { source: io::Error },
    #[error("cannot unpack into the directory: it is not empty")]
    RootNotEmpty,
    #[error("cannot remove {name:?}")]
    Removal { name: String, source: io::Error },
    #[error("cannot remove {name:?}: not the name of one entry of a directory")]
    RemovalName { name: String },
}

impl From<LayerError> for Error {
    fn from(error: LayerError) -> Self {
        let (kind, hint) = match &error {
            LayerError::Refused { refusal, .. } => (refusal.kind(), refusal.hint()),
            LayerError::Unreadable { source, .. } => (unreadable(source), None),
            LayerError::Failed { source, .. }
            | LayerError::Root { source }
            | LayerError::Removal { source, .. } => of_host(source),
            LayerError::RootNotEmpty => {
                (ErrorKind::InvalidPolicy, Some("unpack each image into a new directory"))
            }
            LayerError::RemovalName { .. } => (ErrorKind::InvalidPolicy, None),
        };
        let error = Self::new(kind, error);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Compressed data that makes no sense is the layer's fault; the rest is of the reader.
fn unreadable(source: &io::Error) -> ErrorKind {
    match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            ErrorKind::InvalidPolicy
        }
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Io,
    }
}

fn of_host(source: &io::Error) -> (ErrorKind, Option<&'static str>) {
    match Errno::from_io_error(source) {
        Some(Errno::NOSPC) => {
            (ErrorKind::Setup, Some("the disk is full, of bytes or of inodes: make room on it"))
        }
        Some(Errno::DQUOT) => (ErrorKind::Setup, Some("the disk quota is used up: raise it")),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => (ErrorKind::PermissionDenied, None),
        Some(Errno::NOSYS) => {
            (ErrorKind::Unsupported, Some("unpacking needs openat2(2), of Linux 5.6"))
        }
        Some(Errno::NOENT | Errno::NOTDIR) => (ErrorKind::NotFound, None),
        _ => (ErrorKind::Io, None),
    }
}

#[cfg(test)]
mod tests;
