//! Root recipes: how the part of a sandbox's file tree that does not differ between runs is
//! built. A recipe is a list of records, executed in order.

use super::reader::Reader;

/// One record of a recipe. Paths inside are absolute in the new root and end with NUL.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// The root is an in-memory directory. First record.
    Memory,
    /// The root is this directory of the host, read-only. First record.
    Tree(Source<'a>),
    /// A directory, made if it is not there.
    Dir {
        /// Path inside.
        path: &'a [u8],
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Path inside.
        path: &'a [u8],
        /// What it points to.
        to: &'a [u8],
    },
    /// A file with contents.
    File {
        /// Path inside.
        path: &'a [u8],
        /// Permission bits.
        mode: u32,
        /// Its bytes.
        contents: &'a [u8],
    },
    /// An in-memory directory of its own over an existing one (for `/dev` in a tree).
    Tmpfs {
        /// Path inside.
        path: &'a [u8],
    },
    /// A file or directory of the host; the target must exist.
    Bind {
        /// Path inside.
        path: &'a [u8],
        /// What is bound.
        source: Source<'a>,
        /// Bits of [`bind`].
        flags: u32,
    },
    /// A `/proc` that shows no process: the kernel lets a user namespace mount its own only where
    /// one is already visible.
    Proc {
        /// Path inside.
        path: &'a [u8],
    },
    /// Something already in the new root, bound read-only onto `path`; the target must exist. Puts
    /// a file in memory over one of a directory of the host.
    Inside {
        /// Path inside.
        path: &'a [u8],
        /// Path inside of what is bound.
        from: &'a [u8],
    },
    /// Makes the mount at `path` read-only, once everything is in it.
    Seal {
        /// Path inside.
        path: &'a [u8],
    },
}

/// Flags of [`Record::Bind`].
pub mod bind {
    /// Writable.
    pub const WRITE: u32 = 1;
    /// A device node: openable.
    pub const DEVICE: u32 = 2;
}

/// An object of the host, by path and identity; a path that leads elsewhere by now is refused.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Canonical absolute path, ending with NUL.
    pub path: &'a [u8],
    /// Device number of its filesystem; zero together with `inode` means "whatever is there".
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// Record tags.
pub mod tag {
    /// [`super::Record::Memory`].
    pub const MEMORY: u32 = 1;
    /// [`super::Record::Tree`].
    pub const TREE: u32 = 2;
    /// [`super::Record::Dir`].
    pub const DIR: u32 = 3;
    /// [`super::Record::Link`].
    pub const LINK: u32 = 4;
    /// [`super::Record::File`].
    pub const FILE: u32 = 5;
    /// [`super::Record::Tmpfs`].
    pub const TMPFS: u32 = 6;
    /// [`super::Record::Bind`].
    pub const BIND: u32 = 7;
    /// [`super::Record::Proc`].
    pub const PROC: u32 = 8;
    /// [`super::Record::Seal`].
    pub const SEAL: u32 = 9;
    /// [`super::Record::Inside`].
    pub const INSIDE: u32 = 10;
}

/// Reads the next record; `None` at a malformed one.
pub fn next<'a>(reader: &mut Reader<'a>) -> Option<Record<'a>> {
    Some(match reader.u32()? {
        tag::MEMORY => Record::Memory,
        tag::TREE => Record::Tree(source(reader)?),
        tag::DIR => Record::Dir { path: reader.c_str()?, mode: reader.u32()? },
        tag::LINK => Record::Link { path: reader.c_str()?, to: reader.c_str()? },
        tag::FILE => {
            Record::File { path: reader.c_str()?, mode: reader.u32()?, contents: reader.bytes()? }
        }
        tag::TMPFS => Record::Tmpfs { path: reader.c_str()? },
        tag::BIND => {
            Record::Bind { path: reader.c_str()?, source: source(reader)?, flags: reader.u32()? }
        }
        tag::PROC => Record::Proc { path: reader.c_str()? },
        tag::SEAL => Record::Seal { path: reader.c_str()? },
        tag::INSIDE => Record::Inside { path: reader.c_str()?, from: reader.c_str()? },
        _ => return None,
    })
}

fn source<'a>(reader: &mut Reader<'a>) -> Option<Source<'a>> {
    Some(Source { path: reader.c_str()?, device: reader.u64()?, inode: reader.u64()? })
}
