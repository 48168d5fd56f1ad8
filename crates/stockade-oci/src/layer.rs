//! Layers of an image, unpacked one over the other into a directory.
//!
//! A layer is a tar archive, plain or compressed with gzip or Zstandard, as the OCI image specification has
//! it. Whatever it holds, nothing outside the directory is read, written, linked to or removed, and what is
//! hostile or broken is refused with an error that names the entry. The caller throws the directory away
//! then, with [`remove_tree`].
//!
//! | in the archive | what becomes of it |
//! |---|---|
//! | files, directories, symbolic links | they replace what lower layers, or earlier entries, have under that name; a directory over a directory keeps its contents |
//! | hard links | to regular files of the image, which must exist by then |
//! | `.wh.NAME`, `.wh..wh..opq` | whiteouts: hide what lower layers have, and nothing of their own layer, whichever comes first |
//! | symbolic links on the way to an entry | followed as if the directory were `/` |
//! | absolute names, `./` | beneath the directory |
//! | owners | all is the caller's: a sandbox gives its workload ids of its own |
//! | modes | kept but for the set-user-id and set-group-id bits |
//! | times of modification | kept between 1970 and 9999 |
//! | extended attributes, file capabilities among them | left out |
//! | `..` in a name, NUL bytes, other names that begin with `.wh.` | refused |
//! | device nodes, FIFOs, sparse files, unknown types | refused |
//! | sizes that disagree, names or targets given twice, anything but zeros behind the end | refused |
//!
//! An archive that lacks the zeros at its end is not told from one that is cut between two entries: that
//! is what the layer's digest is for. An unpacked layer was read to its end.
//!
//! ```
//! use std::fs;
//! use stockade_oci::layer::{Bounds, Unpacker};
//!
//! let path = std::env::temp_dir().join(format!("stockade-layer-{}", std::process::id()));
//! fs::create_dir(&path)?;
//! let mut unpacker = Unpacker::new(fs::File::open(&path)?, Bounds::default())?;
//! let empty = [0; 1024];
//! assert_eq!(unpacker.apply(empty.as_slice())?.entries, 0);
//! # fs::remove_dir(&path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod directory;
mod error;
mod modes;
mod name;
mod own;
mod pax;
mod place;
mod removal;
mod stream;
mod timestamp;
mod tree;

use std::io::{BufRead, Read};
use std::os::fd::AsFd;

use stockade_core::Result;

use archive::{Archive, Kind};
use error::{LayerError, Place, Refusal, Trouble};
pub use removal::remove_tree;
use tree::Tree;

/// How much an image may hold, over all of its layers where nothing else is said.
///
/// ```
/// use stockade_oci::layer::Bounds;
///
/// let mut bounds = Bounds::default();
/// bounds.bytes = 64 << 30;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes of the contents of files, and of extended headers. A file counts with the size that its entry
    /// says, before any of it is written. 16 GiB by default.
    pub bytes: u64,
    /// Entries, whiteouts among them, and directories that no entry describes. 1,000,000 by default.
    pub entries: u64,
    /// Bytes of an entry's name. 4,096 by default.
    pub path: usize,
    /// Components of an entry's name. 256 by default.
    pub depth: usize,
    /// Bytes of a symbolic link's target. 4,095 by default, which is what Linux has.
    pub target: usize,
    /// Bytes of the names of one layer's directories, which are held in memory until it is unpacked.
    /// 64 MiB by default.
    pub names: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 16 << 30,
            entries: 1_000_000,
            path: 4096,
            depth: 256,
            target: 4095,
            names: 64 << 20,
        }
    }
}

/// What was in one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Entries, whiteouts among them.
    pub entries: u64,
    /// Bytes of the contents of files.
    pub bytes: u64,
}

/// Counts what an image holds.
struct Meter {
    bytes: u64,
    entries: u64,
    bounds: Bounds,
}

impl Meter {
    fn count(&mut self) -> Result<(), Refusal> {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            return Err(Refusal::Entries { bound: self.bounds.entries });
        }
        Ok(())
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bounds.bytes {
            return Err(Refusal::Bytes { bound: self.bounds.bytes });
        }
        Ok(())
    }
}

/// Unpacks the layers of one image. See the [module](self).
pub struct Unpacker {
    tree: Tree,
}

impl Unpacker {
    /// `root` is an empty directory that the caller made and owns, on a file system that nobody else
    /// changes in the meantime.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`](stockade_core::ErrorKind::InvalidPolicy) if it is not empty,
    /// [`Unsupported`](stockade_core::ErrorKind::Unsupported) before Linux 5.6, otherwise what the kernel
    /// says of it.
    pub fn new(root: impl AsFd, bounds: Bounds) -> Result<Self> {
        let meter = Meter { bytes: 0, entries: 0, bounds };
        Ok(Self { tree: Tree::new(root, meter)? })
    }

    /// Unpacks the next layer, over those before it: the lowest comes first. `layer` is read to its end.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`](stockade_core::ErrorKind::InvalidPolicy) for a layer that is hostile, broken or
    /// beyond a bound, [`Unsupported`](stockade_core::ErrorKind::Unsupported) for an entry of a type that
    /// is not unpacked, [`Setup`](stockade_core::ErrorKind::Setup) if the disk is full,
    /// [`PermissionDenied`](stockade_core::ErrorKind::PermissionDenied) or
    /// [`Io`](stockade_core::ErrorKind::Io) for what else the file system or `layer` fails with. The
    /// message names the entry. After an error the directory holds part of the image and is to be thrown
    /// away.
    pub fn apply(&mut self, layer: impl Read) -> Result<Applied> {
        let input = stream::decompressed(layer)
            .map_err(|source| Trouble::Unreadable(source).at(Place::Header(0)))?;
        self.tree.modes.open_up(&self.tree.root)?;
        let applied = self.entries(Archive::new(input))?;
        self.tree.modes.settle(&self.tree.root)?;
        self.tree.own.next_layer();
        self.tree.forget();
        Ok(applied)
    }

    fn entries(&mut self, mut archive: Archive<impl BufRead>) -> Result<Applied, LayerError> {
        let mut applied = Applied { entries: 0, bytes: 0 };
        while let Some(entry) = archive.next(&mut self.tree.meter)? {
            self.tree
                .place(&entry, &mut archive)
                .map_err(|trouble| trouble.at(Place::Entry(entry.name.clone())))?;
            applied.entries += 1;
            applied.bytes += if entry.kind == Kind::File { entry.size } else { 0 };
        }
        Ok(applied)
    }
}
