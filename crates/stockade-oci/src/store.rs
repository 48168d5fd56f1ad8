//! [`Store`]: where images are kept.

mod directory;
mod garbage;
mod going;
mod index;
mod load;
mod lock;
#[cfg(feature = "pull")]
mod part;
#[cfg(feature = "pull")]
mod pull;
mod root;
mod workshop;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde::Serialize;
use stockade_core::{Error, ErrorKind, GoOn, Result};

use crate::blobs::{Blobs, Descriptor};
use crate::digest::Digest;
use crate::document::Manifest;
use crate::failure;
use crate::image::Image;
use crate::layout::listed;
use crate::name::Name;
use crate::source::Source;

use index::Index;
use lock::Lock;

pub use garbage::Freed;
pub use root::Root;

/// Names another directory for images than the user's.
const ELSEWHERE: &str = "STOCKADE_IMAGES";
/// Where root keeps images.
const OF_THE_SYSTEM: &str = "/var/lib/stockade/images";
/// Where others do, below the directory for their data.
const OF_A_USER: &str = "stockade/images";

/// Images that were loaded, each verified, in a directory that is this user's alone.
///
/// The directory is an image layout, so that other tools can read it, with the root directories that were
/// unpacked beside it. Any number of processes and threads may use it at once; a process that is killed
/// leaves nothing that counts, and what it leaves [`collect_garbage`](Self::collect_garbage) removes.
///
/// ```no_run
/// # use std::ffi::OsString;
/// use stockade_core::Policy;
/// use stockade_oci::Store;
///
/// let store = Store::open(&Store::default_dir(|key| std::env::var_os(key))?)?;
/// let image = store.load(&"oci:/srv/images/app:v1".parse()?, &mut |_| {})?;
/// let root = store.root(&image)?;
/// let mut policy = Policy::default();
/// root.apply_to(&mut policy);
/// let program = root.program(&[])?;
/// // `root` must live as long as runs of the program.
/// # Ok::<(), stockade_core::Error>(())
/// ```
///
/// A clone is the same store.
#[derive(Clone)]
pub struct Store {
    blobs: Blobs,
    go_on: Option<GoOn>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// How far loading an image is: called for each part of it, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The part: its digest, or its name in an archive.
    pub blob: &'a str,
    /// Bytes that are done.
    pub done: u64,
    /// Bytes of the whole part. A part that the store has already is done at once.
    pub size: u64,
}

/// An image in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// What it is called.
    pub name: Name,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Bytes of manifest, configuration and layers, as they are kept; none if the manifest cannot be read.
    /// What two images share counts for both.
    pub size: Option<u64>,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("neither XDG_DATA_HOME nor HOME names an absolute path")]
    NoHome,
    #[error("cannot {doing} in the image store {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the image store {} is a link or no directory", path.display())]
    NotADirectory { path: PathBuf },
    #[error("the image store {} belongs to user {owner}, and this is user {user}", path.display())]
    Owner { path: PathBuf, owner: u32, user: u32 },
    #[error("the image store {} is open to other users: its mode is {mode:04o}", path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("there is no image {name} in the store")]
    NoImage { name: Name, found: Vec<String> },
    #[error("the index of the image store {} has an image that is called {found:?}", path.display())]
    Foreign { path: PathBuf, found: String },
    #[error("the layer {layer} cannot be read")]
    Layer { layer: Digest, source: io::Error },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::NoHome => (ErrorKind::NotFound, "set XDG_DATA_HOME or HOME"),
            StoreError::Io { source, .. } | StoreError::Layer { source, .. } => {
                failure::of_file(source)
            }
            StoreError::NotADirectory { .. } => {
                (ErrorKind::InvalidPolicy, "name the directory itself")
            }
            StoreError::Owner { .. } => (
                ErrorKind::PermissionDenied,
                "what it holds would be run; name a directory of this user",
            ),
            StoreError::Mode { .. } => {
                (ErrorKind::PermissionDenied, "what it holds would be run; make its mode 0700")
            }
            StoreError::NoImage { name, found } => {
                let hint = format!(
                    "it has {}; get the image first: `stockade image pull {name}` asks its registry, \
                     `stockade image load` takes `oci:DIR` or `docker-archive:FILE`",
                    listed(found)
                );
                return Self::new(ErrorKind::NotFound, error).with_hint(hint);
            }
            StoreError::Foreign { .. } => {
                (ErrorKind::InvalidPolicy, "only Stockade may write to its store")
            }
        };
        Self::new(kind, error).with_hint(hint)
    }
}

impl Store {
    /// Opens the store in a directory, which is made with mode 0700 if it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if the directory is another user's or open to others,
    /// [`ErrorKind::InvalidPolicy`] if it is a link, else what the system says.
    pub fn open(directory: &Path) -> Result<Self> {
        let (directory, path) = directory::open(directory)?;
        let store = Self { blobs: Blobs::new(directory, &path), go_on: None };
        directory::furnish(&store)?;
        Ok(store)
    }

    /// Where this user's images are: what `$STOCKADE_IMAGES` names; else `/var/lib/stockade/images` for
    /// root, and `stockade/images` below `$XDG_DATA_HOME` or `$HOME/.local/share` for others.
    ///
    /// The environment is asked by `variable` alone.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if none of these names a directory; the last two have to be absolute paths.
    pub fn default_dir(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
        if let Some(directory) = variable(ELSEWHERE).filter(|directory| !directory.is_empty()) {
            return Ok(directory.into());
        }
        if geteuid().is_root() {
            return Ok(OF_THE_SYSTEM.into());
        }
        let absolute = |key| variable(key).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        Ok(data.ok_or(StoreError::NoHome)?.join(OF_A_USER))
    }

    /// The same store, whose calls of [`load`](Self::load), [`pull`](Self::pull) and [`root`](Self::root) ask
    /// several times a second whether to go on, on the thread that calls; a pull is at work on one more
    /// meanwhile. If not, they end with an error of
    /// kind [`ErrorKind::Io`]. Nothing has a name then that had none before; what came of a pull is kept as if
    /// it had broken off.
    #[must_use]
    pub fn as_long_as(&self, go_on: GoOn) -> Self {
        Self { go_on: Some(go_on), ..self.clone() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.blobs.path()
    }

    /// Copies an image into the store, unless it is there, and verifies every byte that is copied.
    ///
    /// It gets the name that its source gives it: what containerd or Docker noted, else a reference of the
    /// layout that is a whole name, else the name of the directory or file, with the reference as its tag.
    /// An image that had this name before has it no longer. A source that is a name is
    /// [found](Self::find), not loaded.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such image, [`ErrorKind::InvalidPolicy`] if it is malformed or
    /// not what its digests say, [`ErrorKind::Unsupported`] if it is for another platform or of a kind that
    /// is not read, [`ErrorKind::Setup`] if the disk is full.
    pub fn load(&self, source: &Source, observer: &mut dyn FnMut(Progress<'_>)) -> Result<Image> {
        load::load(self, source, None, observer)
    }

    /// The same, under a name of the caller's.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_as(
        &self,
        source: &Source,
        name: &Name,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Image> {
        load::load(self, source, Some(name), observer)
    }

    /// Gets an image from the registry that its name names, unless it is there, and verifies every byte that
    /// is kept. What is in the store already is not asked for; the manifest always is.
    ///
    /// Of an index it takes the image for this platform. Up to four layers come at once, in as many threads
    /// that end with the call. A layer that breaks off is asked for from there on, also by the next pull:
    /// what came is kept until [`collect_garbage`](Self::collect_garbage). A name with a digest is kept with
    /// it, and moves no tag. The environment is not asked: there is no proxy but what the network has.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the registry has no such image, [`ErrorKind::PermissionDenied`] if it does
    /// not give it to who asks, [`ErrorKind::InvalidPolicy`] if it is malformed or not what its digests say:
    /// nothing is kept then of what was wrong. [`ErrorKind::Unsupported`] if it is for another platform or of
    /// a kind that is not read, [`ErrorKind::Setup`] if the disk is full, [`ErrorKind::Io`] if the registry
    /// cannot be reached, stalls or fails for longer than `options` allow.
    ///
    /// ```no_run
    /// use stockade_oci::{PullOptions, Store};
    /// let store = Store::open("/srv/images".as_ref())?;
    /// let image = store.pull(&"alpine:3.20".parse()?, &PullOptions::default(), &mut |_| {})?;
    /// # Ok::<(), stockade_core::Error>(())
    /// ```
    #[cfg(feature = "pull")]
    pub fn pull(
        &self,
        name: &Name,
        options: &crate::PullOptions,
        observer: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Image> {
        pull::pull(self, name, options, observer)
    }

    /// An image by its name. Where the name has a digest, it is that of the manifest for this platform, or
    /// the one by which the image was pulled.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none: no registry is asked.
    pub fn find(&self, name: &Name) -> Result<Image> {
        let lock = Lock::shared(self)?;
        let index = Index::read(self, &lock)?;
        match index.find(name) {
            Some(manifest) => self.read(manifest),
            None => Err(StoreError::NoImage { name: name.clone(), found: index.names() }.into()),
        }
    }

    /// Every image, by its name.
    ///
    /// # Errors
    /// What reading the index says.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let lock = Lock::shared(self)?;
        let index = Index::read(self, &lock)?;
        let entries = index.entries.into_iter().map(|(name, descriptor)| {
            let size = self.manifest(&descriptor).ok().map(|manifest| manifest.size());
            Entry { name, digest: descriptor.digest, size }
        });
        Ok(entries.collect())
    }

    /// Takes a name away from an image. What no name needs is there until
    /// [`collect_garbage`](Self::collect_garbage).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing has this name.
    pub fn remove(&self, name: &Name) -> Result<()> {
        let lock = Lock::exclusive(self)?;
        let mut index = Index::read(self, &lock)?;
        if index.remove(name) {
            index.write(self, &lock)
        } else {
            Err(StoreError::NoImage { name: name.clone(), found: index.names() }.into())
        }
    }

    /// Removes what no image needs, and what processes left that are dead. What another process is loading,
    /// unpacking or running stays.
    ///
    /// # Errors
    /// If an image of the index cannot be read, since nobody knows what it needs: then nothing is removed.
    pub fn collect_garbage(&self) -> Result<Freed> {
        garbage::collect(self)
    }

    /// The root directory of an image: its layers, unpacked on one another, each verified.
    ///
    /// The first call unpacks, later ones find the result. It is there as long as the [`Root`] is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the store has lost the image, [`ErrorKind::InvalidPolicy`] if a layer is
    /// malformed, hostile or not what its digest says, [`ErrorKind::Setup`] if the disk is full.
    pub fn root(&self, image: &Image) -> Result<Root> {
        root::root(self, image)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest> {
        Manifest::read(descriptor, &self.blobs.document(descriptor)?)
    }

    fn read(&self, descriptor: &Descriptor) -> Result<Image> {
        let manifest = self.manifest(descriptor)?;
        let config = self.blobs.document(&manifest.config)?;
        Image::read(manifest, &config)
    }

    fn failed(&self, doing: &'static str, source: impl Into<io::Error>) -> Error {
        StoreError::Io { doing, path: self.path().to_owned(), source: source.into() }.into()
    }
}
