//! What `docker save` writes: a tar archive with `manifest.json`, read without unpacking it.

mod entries;
mod table;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use serde::Deserialize;
use stockade_core::{Error, ErrorKind, Result};

use crate::blobs::LARGEST_DOCUMENT;
use crate::compression::Compression;
use crate::digest::{Algorithm, Digest};
use crate::document::{MOST_LAYERS, json};
use crate::failure::{self, malformed};
use crate::layout::listed;
use crate::name::Name;

use entries::{Entry, EntryKind, walk};
use table::Table;

/// The file that lists the images of an archive.
const MANIFEST: &str = "manifest.json";

/// Why an archive has not the image that was asked for.
#[derive(Debug, thiserror::Error)]
enum ArchiveError {
    #[error("the archive {} cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has no {MANIFEST}", path.display())]
    NoManifest { path: PathBuf, is_layout: bool },
    #[error("{} has no image {reference}", path.display())]
    NoReference { path: PathBuf, reference: Name, found: Vec<String> },
    #[error("{} has {count} images", path.display())]
    Ambiguous { path: PathBuf, count: usize, found: Vec<String> },
    #[error(
        "{entry:?} of the archive has {size} bytes, more than the {LARGEST_DOCUMENT} that are read"
    )]
    TooLarge { entry: String, size: u64 },
    #[error("an image of {} has {found} layers, more than {MOST_LAYERS}", path.display())]
    Layers { path: PathBuf, found: usize },
    #[error("{entry:?} of the archive ends after {found} of {size} bytes")]
    Short { entry: String, size: u64, found: u64 },
}

impl From<ArchiveError> for Error {
    fn from(error: ArchiveError) -> Self {
        match &error {
            ArchiveError::Read { source, .. } => {
                let (kind, hint) = failure::of_file(source);
                Self::new(kind, error).with_hint(hint)
            }
            ArchiveError::NoManifest { is_layout: true, .. } => {
                malformed(error, "it is an image layout: unpack it with tar and name it `oci:DIR`")
            }
            ArchiveError::NoManifest { .. } => {
                malformed(error, "name a file that `docker save` wrote")
            }
            ArchiveError::NoReference { found, .. } => {
                let hint = format!("it has {}", listed(found));
                Self::new(ErrorKind::NotFound, error).with_hint(hint)
            }
            ArchiveError::Ambiguous { found, .. } => {
                let hint = format!("name one after a colon: {}", listed(found));
                malformed(error, &hint)
            }
            _ => malformed(error, "save the image again"),
        }
    }
}

/// An image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The archive.
#[derive(Debug)]
pub(crate) struct DockerArchive {
    file: File,
    path: PathBuf,
    compression: Compression,
}

/// An image of an archive: names of entries that are files.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) names: Vec<Name>,
    pub(crate) config: String,
    /// The lowest first. One entry may be several layers.
    pub(crate) layers: Vec<String>,
}

/// What takes a layer: its entry, its size, its bytes.
pub(crate) type Sink<'a> = dyn FnMut(&str, u64, &mut dyn Read) -> Result<()> + 'a;

impl DockerArchive {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source| ArchiveError::Read { path: path.to_owned(), source };
        // A FIFO would wait for a writer, and cannot be read twice.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let stat = rustix::fs::fstat(&file).map_err(|errno| failed(errno.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is no regular file");
            return Err(failed(source).into());
        }
        let mut file = File::from(file);
        let mut begin = Vec::new();
        let read = file.by_ref().take(Compression::TOLD_BY as u64).read_to_end(&mut begin);
        read.map_err(failed)?;
        Ok(Self { file, path: path.to_owned(), compression: Compression::of(&begin) })
    }

    /// Its name, from which images without one get theirs.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, source: io::Error) -> Error {
        ArchiveError::Read { path: self.path.clone(), source }.into()
    }

    /// Goes through the archive from its beginning.
    fn pass(&mut self, visit: &mut dyn FnMut(Entry<'_>) -> Result<ControlFlow<()>>) -> Result<()> {
        self.file.rewind().map_err(|source| self.failed(source))?;
        let file = &self.file;
        let read = if self.compression == Compression::None {
            let mut archive = tar::Archive::new(file);
            walk(archive.entries_with_seek(), visit)
        } else {
            let mut archive = tar::Archive::new(BufReader::new(self.compression.reader(file)));
            walk(archive.entries(), visit)
        };
        read.map_err(|failure| match failure {
            entries::Failure::Read(source) => self.failed(source),
            entries::Failure::Other(error) => error,
        })
    }

    /// The image with this name, or the only one.
    pub(crate) fn select(&mut self, reference: Option<&Name>) -> Result<Selected> {
        let mut table = Table::default();
        let mut manifest = None;
        self.pass(&mut |entry| {
            table.add(&entry)?;
            if entry.name == MANIFEST && matches!(entry.kind, EntryKind::File) {
                manifest = Some(document(entry)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let path = || self.path.clone();
        let Some(bytes) = manifest else {
            let is_layout = table.has("index.json");
            return Err(ArchiveError::NoManifest { path: path(), is_layout }.into());
        };
        table.file(MANIFEST)?;
        let images: Vec<Listed> = json("file", MANIFEST, &bytes)?;
        let (image, names) = self.choose(images, reference)?;
        let layers = image.layers.unwrap_or_default();
        if layers.len() > MOST_LAYERS {
            return Err(ArchiveError::Layers { path: path(), found: layers.len() }.into());
        }
        let layers = layers.iter().map(|layer| table.file(layer)).collect::<Result<_, _>>()?;
        Ok(Selected { names, config: table.file(&image.config)?, layers })
    }

    fn choose(&self, images: Vec<Listed>, reference: Option<&Name>) -> Result<(Listed, Vec<Name>)> {
        let path = || self.path.clone();
        let named = |image: &Listed| -> Vec<Name> {
            let tags = image.repo_tags.iter().flatten();
            tags.filter_map(|tag| tag.parse().ok()).collect()
        };
        let all: Vec<String> = images.iter().flat_map(named).map(|name| name.to_string()).collect();
        let count = images.len();
        let mut images = images.into_iter().map(|image| {
            let names = named(&image);
            (image, names)
        });
        match (reference, count) {
            (Some(reference), _) => {
                let wanted = images.find(|(_, names)| names.contains(reference));
                let missing = || {
                    let reference = reference.clone();
                    Error::from(ArchiveError::NoReference { path: path(), reference, found: all })
                };
                let (image, _) = wanted.ok_or_else(missing)?;
                Ok((image, vec![reference.clone()]))
            }
            (None, 0 | 1) => {
                let none = ArchiveError::NoManifest { path: path(), is_layout: false };
                images.next().ok_or_else(|| none.into())
            }
            (None, count) => {
                Err(ArchiveError::Ambiguous { path: path(), count, found: all }.into())
            }
        }
    }

    /// Gives each layer to `sink`, once, in the order of the archive, and returns the configuration.
    pub(crate) fn extract(&mut self, image: &Selected, sink: &mut Sink<'_>) -> Result<Vec<u8>> {
        let mut config = None;
        let mut left: BTreeSet<&str> = image.layers.iter().map(String::as_str).collect();
        self.pass(&mut |mut entry| {
            if !matches!(entry.kind, EntryKind::File) {
                return Ok(ControlFlow::Continue(()));
            }
            // One entry may be both only by malice, and then the layer is missed.
            if entry.name == image.config {
                config = Some(document(entry)?);
            } else if left.remove(entry.name.as_str()) {
                sink(&entry.name, entry.size, &mut entry.reader)?;
            }
            let done = config.is_some() && left.is_empty();
            Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        match (config, left.first()) {
            (Some(config), None) => Ok(config),
            (config, layer) => {
                // It was there a moment ago.
                let name = if config.is_none() { &image.config } else { *layer.unwrap_or(&"") };
                Err(self.failed(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{name:?} is no longer there"),
                )))
            }
        }
    }
}

/// The digest that an entry's name promises.
pub(crate) fn promised(entry: &str) -> Option<Digest> {
    let last = entry.rsplit('/').next()?;
    let stem = last.strip_suffix(".json").unwrap_or(last);
    Digest::from_parts(Algorithm::Sha256, stem)
}

/// The bytes of an entry that is a document.
fn document(entry: Entry<'_>) -> Result<Vec<u8>> {
    let (name, size) = (entry.name, entry.size);
    if size > LARGEST_DOCUMENT {
        return Err(ArchiveError::TooLarge { entry: name, size }.into());
    }
    let mut bytes = Vec::new();
    let read = entry.reader.read_to_end(&mut bytes);
    let found = bytes.len() as u64;
    match read {
        Ok(_) if found == size => Ok(bytes),
        _ => Err(ArchiveError::Short { entry: name, size, found }.into()),
    }
}
