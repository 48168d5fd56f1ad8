//! The types of `wasi:filesystem/types`, and what they are to us.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use wasmtime::component::{ComponentType, Lift, Lower, flags};

use crate::component::clocks::Datetime;
use crate::files::{Descriptor, Errno, FileType, NewTime, OpenHow, Stat};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "some are never answered, all of them are the type")]
pub(in crate::component) enum ErrorCode {
    #[component(name = "access")]
    Access,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "already")]
    Already,
    #[component(name = "bad-descriptor")]
    BadDescriptor,
    #[component(name = "busy")]
    Busy,
    #[component(name = "deadlock")]
    Deadlock,
    #[component(name = "quota")]
    Quota,
    #[component(name = "exist")]
    Exist,
    #[component(name = "file-too-large")]
    FileTooLarge,
    #[component(name = "illegal-byte-sequence")]
    IllegalByteSequence,
    #[component(name = "in-progress")]
    InProgress,
    #[component(name = "interrupted")]
    Interrupted,
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "io")]
    Io,
    #[component(name = "is-directory")]
    IsDirectory,
    #[component(name = "loop")]
    Loop,
    #[component(name = "too-many-links")]
    TooManyLinks,
    #[component(name = "message-size")]
    MessageSize,
    #[component(name = "name-too-long")]
    NameTooLong,
    #[component(name = "no-device")]
    NoDevice,
    #[component(name = "no-entry")]
    NoEntry,
    #[component(name = "no-lock")]
    NoLock,
    #[component(name = "insufficient-memory")]
    InsufficientMemory,
    #[component(name = "insufficient-space")]
    InsufficientSpace,
    #[component(name = "not-directory")]
    NotDirectory,
    #[component(name = "not-empty")]
    NotEmpty,
    #[component(name = "not-recoverable")]
    NotRecoverable,
    #[component(name = "unsupported")]
    Unsupported,
    #[component(name = "no-tty")]
    NoTty,
    #[component(name = "no-such-device")]
    NoSuchDevice,
    #[component(name = "overflow")]
    Overflow,
    #[component(name = "not-permitted")]
    NotPermitted,
    #[component(name = "pipe")]
    Pipe,
    #[component(name = "read-only")]
    ReadOnly,
    #[component(name = "invalid-seek")]
    InvalidSeek,
    #[component(name = "text-file-busy")]
    TextFileBusy,
    #[component(name = "cross-device")]
    CrossDevice,
}

impl From<Errno> for ErrorCode {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::Access => Self::Access,
            Errno::BadDescriptor => Self::BadDescriptor,
            Errno::Busy => Self::Busy,
            Errno::CrossDevice => Self::CrossDevice,
            Errno::Exist => Self::Exist,
            Errno::FileTooLarge => Self::FileTooLarge,
            Errno::Invalid => Self::Invalid,
            Errno::Io => Self::Io,
            Errno::IsDirectory => Self::IsDirectory,
            Errno::Loop => Self::Loop,
            Errno::NameTooLong => Self::NameTooLong,
            Errno::NoEntry => Self::NoEntry,
            Errno::NoSpace => Self::InsufficientSpace,
            Errno::NotDirectory => Self::NotDirectory,
            Errno::NotEmpty => Self::NotEmpty,
            Errno::NotPermitted => Self::NotPermitted,
            Errno::NotSupported => Self::Unsupported,
            Errno::Overflow => Self::Overflow,
            Errno::ReadOnly => Self::ReadOnly,
            Errno::SeekPipe => Self::InvalidSeek,
            // The interface has no code for it; this one says as well that no more is held.
            Errno::TooManyFiles => Self::InsufficientMemory,
        }
    }
}

#[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "some are never answered, all of them are the type")]
pub(super) enum DescriptorType {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "block-device")]
    BlockDevice,
    #[component(name = "character-device")]
    CharacterDevice,
    #[component(name = "directory")]
    Directory,
    #[component(name = "fifo")]
    Fifo,
    #[component(name = "symbolic-link")]
    SymbolicLink,
    #[component(name = "regular-file")]
    RegularFile,
    #[component(name = "socket")]
    Socket,
}

impl From<FileType> for DescriptorType {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Self::Directory,
            FileType::Regular => Self::RegularFile,
            FileType::Symlink => Self::SymbolicLink,
            FileType::CharacterDevice => Self::CharacterDevice,
            FileType::Other => Self::Unknown,
        }
    }
}

flags! {
    DescriptorFlags {
        #[component(name = "read")]
        const READ;
        #[component(name = "write")]
        const WRITE;
        #[component(name = "file-integrity-sync")]
        const FILE_INTEGRITY_SYNC;
        #[component(name = "data-integrity-sync")]
        const DATA_INTEGRITY_SYNC;
        #[component(name = "requested-write-sync")]
        const REQUESTED_WRITE_SYNC;
        #[component(name = "mutate-directory")]
        const MUTATE_DIRECTORY;
    }
}

flags! {
    PathFlags {
        #[component(name = "symlink-follow")]
        const SYMLINK_FOLLOW;
    }
}

flags! {
    OpenFlags {
        #[component(name = "create")]
        const CREATE;
        #[component(name = "directory")]
        const DIRECTORY;
        #[component(name = "exclusive")]
        const EXCLUSIVE;
        #[component(name = "truncate")]
        const TRUNCATE;
    }
}

impl DescriptorFlags {
    /// What may be done with `descriptor`.
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        let mut flags = Self::default();
        if descriptor.can_read() {
            flags |= Self::READ;
        }
        if descriptor.can_write() {
            flags |= match descriptor.kind() {
                FileType::Directory => Self::MUTATE_DIRECTORY,
                _ => Self::WRITE,
            };
        }
        flags
    }
}

impl PathFlags {
    pub(super) fn follows(self) -> bool {
        (self & Self::SYMLINK_FOLLOW) != Self::default()
    }
}

pub(super) fn open_how(path: PathFlags, open: OpenFlags, flags: DescriptorFlags) -> OpenHow {
    let has = |flag| (open & flag) != OpenFlags::default();
    let may = |flag| (flags & flag) != DescriptorFlags::default();
    OpenHow {
        read: may(DescriptorFlags::READ),
        write: may(DescriptorFlags::WRITE),
        create: has(OpenFlags::CREATE),
        exclusive: has(OpenFlags::EXCLUSIVE),
        truncate: has(OpenFlags::TRUNCATE),
        directory: has(OpenFlags::DIRECTORY),
        follow: path.follows(),
    }
}

#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct DescriptorStat {
    #[component(name = "type")]
    kind: DescriptorType,
    #[component(name = "link-count")]
    links: u64,
    size: u64,
    #[component(name = "data-access-timestamp")]
    accessed: Option<Datetime>,
    #[component(name = "data-modification-timestamp")]
    modified: Option<Datetime>,
    #[component(name = "status-change-timestamp")]
    changed: Option<Datetime>,
}

impl From<Stat> for DescriptorStat {
    fn from(stat: Stat) -> Self {
        Self {
            kind: stat.kind.into(),
            links: stat.links,
            size: stat.size,
            accessed: datetime(stat.accessed),
            modified: datetime(stat.modified),
            changed: datetime(stat.changed),
        }
    }
}

/// A time, unless it is before 1970, which the interface cannot say.
fn datetime(time: SystemTime) -> Option<Datetime> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() })
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(variant)]
pub(super) enum NewTimestamp {
    #[component(name = "no-change")]
    NoChange,
    #[component(name = "now")]
    Now,
    #[component(name = "timestamp")]
    Timestamp(Datetime),
}

impl NewTimestamp {
    /// What it says, if that is a time.
    pub(super) fn time(self) -> Option<NewTime> {
        match self {
            Self::NoChange => Some(NewTime::Keep),
            Self::Now => Some(NewTime::Now),
            Self::Timestamp(Datetime { nanoseconds: 1_000_000_000.., .. }) => None,
            Self::Timestamp(Datetime { seconds, nanoseconds }) => {
                UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)).map(NewTime::At)
            }
        }
    }
}

#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(super) struct DirectoryEntry {
    #[component(name = "type")]
    pub(super) kind: DescriptorType,
    pub(super) name: String,
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only guests make them")]
pub(super) enum Advice {
    #[component(name = "normal")]
    Normal,
    #[component(name = "sequential")]
    Sequential,
    #[component(name = "random")]
    Random,
    #[component(name = "will-need")]
    WillNeed,
    #[component(name = "dont-need")]
    DontNeed,
    #[component(name = "no-reuse")]
    NoReuse,
}

/// Tells files apart; the same for the same file.
#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct MetadataHash {
    lower: u64,
    upper: u64,
}

impl From<Stat> for MetadataHash {
    fn from(stat: Stat) -> Self {
        let place = [stat.device.to_le_bytes(), stat.inode.to_le_bytes()].concat();
        let digest = Sha256::digest(place);
        let half = |at| digest[at..at + 8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        Self { lower: half(0), upper: half(8) }
    }
}
