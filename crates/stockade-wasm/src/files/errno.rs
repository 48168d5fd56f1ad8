//! Why an operation on a file did not happen.

use rustix::io::Errno as Kernel;

use crate::tether::Stop;

/// Why an operation on a file did not happen: an errno, or the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileError {
    Errno(Errno),
    Stop(Stop),
}

/// The errnos that files answer with; each version of WASI has its own numbers for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errno {
    Access,
    BadDescriptor,
    Busy,
    CrossDevice,
    Exist,
    FileTooLarge,
    Invalid,
    Io,
    IsDirectory,
    Loop,
    NameTooLong,
    NoEntry,
    NoSpace,
    NotDirectory,
    NotEmpty,
    NotPermitted,
    NotSupported,
    Overflow,
    ReadOnly,
    SeekPipe,
    TooManyFiles,
}

pub(crate) type Outcome<T> = Result<T, FileError>;

impl From<Errno> for FileError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Kernel> for FileError {
    fn from(errno: Kernel) -> Self {
        Self::Errno(match errno {
            Kernel::ACCESS | Kernel::NXIO | Kernel::NODEV => Errno::Access,
            Kernel::BADF => Errno::BadDescriptor,
            Kernel::BUSY | Kernel::TXTBSY => Errno::Busy,
            Kernel::XDEV => Errno::CrossDevice,
            Kernel::EXIST => Errno::Exist,
            Kernel::FBIG => Errno::FileTooLarge,
            Kernel::INVAL => Errno::Invalid,
            Kernel::ISDIR => Errno::IsDirectory,
            Kernel::LOOP => Errno::Loop,
            Kernel::NAMETOOLONG => Errno::NameTooLong,
            Kernel::NOENT | Kernel::STALE => Errno::NoEntry,
            Kernel::NOSPC | Kernel::DQUOT => Errno::NoSpace,
            Kernel::NOTDIR => Errno::NotDirectory,
            Kernel::NOTEMPTY => Errno::NotEmpty,
            Kernel::PERM | Kernel::MLINK => Errno::NotPermitted,
            Kernel::OPNOTSUPP | Kernel::NOSYS => Errno::NotSupported,
            Kernel::OVERFLOW => Errno::Overflow,
            Kernel::ROFS => Errno::ReadOnly,
            Kernel::SPIPE => Errno::SeekPipe,
            Kernel::MFILE | Kernel::NFILE => Errno::TooManyFiles,
            _ => Errno::Io,
        })
    }
}
