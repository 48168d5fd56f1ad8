//! [`Object`]: whatever can be at the end of a path.

use std::sync::Arc;

use super::device::Device;
use super::errno::{Errno, Outcome};
use super::host::Host;
use super::layout::Layout;
use super::memory::Inode;
use super::{FileType, Stat};

/// The device number of what every run has alike; those of in-memory trees are below it.
const FIXED_DEVICE: u64 = u64::MAX;

/// The device number of an in-memory tree.
pub(super) fn device_of_tree(tree: usize) -> u64 {
    FIXED_DEVICE - 1 - tree as u64
}

#[derive(Debug, Clone)]
pub(super) enum Object {
    /// A directory with nothing in it but what is mounted there; the number is its place.
    Void(usize),
    Bytes(usize, Arc<[u8]>),
    Device(usize, Device),
    Memory(Arc<Inode>),
    Host(Arc<Host>),
}

impl Object {
    pub(super) fn kind(&self) -> FileType {
        match self {
            Self::Void(_) => FileType::Directory,
            Self::Bytes(..) => FileType::Regular,
            Self::Device(..) => FileType::CharacterDevice,
            Self::Memory(inode) => inode.kind(),
            Self::Host(host) => host.kind,
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// Whether what is here may change.
    pub(super) fn is_writable(&self) -> bool {
        match self {
            Self::Void(_) | Self::Bytes(..) => false,
            Self::Device(..) | Self::Memory(_) => true,
            Self::Host(host) => host.bind.writable,
        }
    }

    pub(super) fn expect_writable(&self) -> Result<(), Errno> {
        if self.is_writable() { Ok(()) } else { Err(Errno::ReadOnly) }
    }

    pub(super) fn same_mount(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(a), Self::Memory(b)) => a.same_tree(b),
            (Self::Host(a), Self::Host(b)) => a.bind.index == b.bind.index,
            (Self::Void(_), Self::Void(_)) => true,
            _ => false,
        }
    }

    /// What a symbolic link says.
    pub(super) fn target(&self) -> Outcome<Option<Vec<u8>>> {
        match self {
            Self::Memory(inode) => Ok(inode.target()),
            Self::Host(host) if host.kind == FileType::Symlink => host.target().map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn stat(&self, layout: &Layout) -> Outcome<Stat> {
        let (place, size) = match self {
            Self::Memory(inode) => return Ok(inode.stat()),
            Self::Host(host) => return host.stat(),
            Self::Void(place) | Self::Device(place, _) => (*place, 0),
            Self::Bytes(place, bytes) => (*place, bytes.len() as u64),
        };
        Ok(Stat {
            device: FIXED_DEVICE,
            inode: place as u64 + 1,
            kind: self.kind(),
            links: 1,
            size,
            accessed: layout.made,
            modified: layout.made,
            changed: layout.made,
        })
    }
}
