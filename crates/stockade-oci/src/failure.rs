//! What an error of the operating system is to a caller.

use std::io;

use rustix::io::Errno;
use stockade_core::{Error, ErrorKind};

/// An error as it travels through a reader. Whoever gets it at the other end finds it again.
pub(crate) fn through_reader(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The kind and the advice for an error of a file.
pub(crate) fn of_file(source: &io::Error) -> (ErrorKind, &'static str) {
    match source.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
        io::ErrorKind::PermissionDenied => (ErrorKind::PermissionDenied, "check owner and mode"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Setup, "make room on the disk and try again; nothing was left half made")
        }
        // What openat2(2) says where a path would leave its directory, and where it meets a link.
        _ if matches!(Errno::from_io_error(source), Some(Errno::XDEV | Errno::LOOP)) => {
            (ErrorKind::InvalidPolicy, "an image may hold no links in place of its files")
        }
        // Not the system's word, so it is what was read that does not fit.
        _ if source.raw_os_error().is_none() => {
            (ErrorKind::InvalidPolicy, "the image is damaged, or no image; get it again")
        }
        _ => (ErrorKind::Io, "is the disk readable and writable?"),
    }
}

/// An error that is the image's fault.
pub(crate) fn malformed(
    error: impl std::error::Error + Send + Sync + 'static,
    hint: &str,
) -> Error {
    Error::new(ErrorKind::InvalidPolicy, error).with_hint(hint)
}
