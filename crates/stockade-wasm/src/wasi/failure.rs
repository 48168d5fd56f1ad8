//! What a function that a guest calls can end with: an errno, or the end of the guest.

use super::Errno;
use crate::files::{Errno as FileErrno, FileError};
use crate::streams::StreamError;
use crate::tether::Stop;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Errno(Errno),
    Stop(Stop),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Stop(stop) => Self::Stop(stop),
            StreamError::Io => Self::Errno(Errno::IO),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Stop(stop) => Self::Stop(stop),
            FileError::Errno(errno) => Self::Errno(number(errno)),
        }
    }
}

/// The numbers of preview 1.
fn number(errno: FileErrno) -> Errno {
    Errno(match errno {
        FileErrno::Access => 2,
        FileErrno::BadDescriptor => 8,
        FileErrno::Busy => 10,
        FileErrno::Exist => 20,
        FileErrno::FileTooLarge => 22,
        FileErrno::Invalid => 28,
        FileErrno::Io => 29,
        FileErrno::IsDirectory => 31,
        FileErrno::Loop => 32,
        FileErrno::TooManyFiles => 33,
        FileErrno::NameTooLong => 37,
        FileErrno::NoEntry => 44,
        FileErrno::NoSpace => 51,
        FileErrno::NotDirectory => 54,
        FileErrno::NotEmpty => 55,
        FileErrno::NotSupported => 58,
        FileErrno::Overflow => 61,
        FileErrno::NotPermitted => 63,
        FileErrno::ReadOnly => 69,
        FileErrno::SeekPipe => 70,
        FileErrno::CrossDevice => 75,
    })
}

/// What the guest is told, unless it ends here.
pub(super) fn answer(result: Result<(), Failure>) -> wasmtime::Result<i32> {
    match result {
        Ok(()) => Ok(Errno::SUCCESS),
        Err(Failure::Errno(Errno(number))) => Ok(number),
        Err(Failure::Stop(stop)) => Err(stop.into()),
    }
}
