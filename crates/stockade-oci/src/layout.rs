//! An image layout: a directory with `oci-layout`, `index.json` and `blobs/`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor as RawDescriptor, ImageIndex};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use stockade_core::{Error, ErrorKind, Result};

use crate::blobs::{Blobs, Descriptor};
use crate::digest::shown;
use crate::document::{self, json, refused};
use crate::failure::{self, malformed};
use crate::media::{self, Kind};
use crate::platform::{self, Platform};

/// The annotation that names an image of a layout.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation by which containerd and its kin write the whole name.
pub(crate) const FULL_NAME: &str = "io.containerd.image.name";
/// Versions of the layout that are read.
const VERSION: &str = "1.0.0";
/// How many indexes may name one another.
const DEEPEST: usize = 4;
/// How many indexes are read to find a manifest.
const MOST_INDEXES: usize = 64;

/// Why a layout has not the image that was asked for.
#[derive(Debug, thiserror::Error)]
enum LayoutError {
    #[error("the image layout {} cannot be opened", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the image layout {} has version {found:?}, not {VERSION}", path.display())]
    Version { path: PathBuf, found: String },
    #[error("{} has no image {reference:?}", path.display())]
    NoReference { path: PathBuf, reference: String, found: Vec<String> },
    #[error("{} has {count} images", path.display())]
    Ambiguous { path: PathBuf, count: usize, found: Vec<String> },
    #[error("{} holds no image", path.display())]
    Empty { path: PathBuf },
    #[error("{place} has no image for linux/{here}")]
    Platform { place: String, here: &'static str, found: Vec<String> },
    #[error("an index of {place} names more than {DEEPEST} others, one within the other")]
    Deep { place: String },
    #[error("{place} has more than {MOST_INDEXES} indexes")]
    Many { place: String },
}

/// A list, for a person.
pub(crate) fn listed(found: &[String]) -> String {
    const MOST: usize = 10;
    let mut text = found.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if found.len() > MOST {
        text.push_str(", …");
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        match &error {
            LayoutError::Open { source, .. } => {
                let (kind, hint) = failure::of_file(source);
                Self::new(kind, error).with_hint(hint)
            }
            LayoutError::NoReference { found, .. } => {
                let hint = format!("it has {}", listed(found));
                Self::new(ErrorKind::NotFound, error).with_hint(hint)
            }
            LayoutError::Ambiguous { found, .. } => {
                let hint = format!("name one after a colon: {}", listed(found));
                malformed(error, &hint)
            }
            LayoutError::Platform { found, .. } => {
                let hint = format!("it is for {}", listed(found));
                Self::new(ErrorKind::Unsupported, error).with_hint(hint)
            }
            LayoutError::Version { .. } => {
                Self::new(ErrorKind::Unsupported, error).with_hint("write it with another tool")
            }
            LayoutError::Empty { .. } => {
                Self::new(ErrorKind::NotFound, error).with_hint("check the path")
            }
            LayoutError::Deep { .. } | LayoutError::Many { .. } => {
                malformed(error, "no image needs so many indexes")
            }
        }
    }
}

/// The file `oci-layout`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) manifest: Descriptor,
    /// What the layout calls it, by `io.containerd.image.name`.
    pub(crate) full_name: Option<String>,
    /// What the layout calls it, by `org.opencontainers.image.ref.name`.
    pub(crate) reference: Option<String>,
}

/// The directory.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) blobs: Blobs,
    path: PathBuf,
}

/// A search through indexes.
pub(crate) struct Search<'a> {
    /// What they are of, for messages.
    place: String,
    /// Reads one, verified.
    read: &'a dyn Fn(&Descriptor) -> Result<Vec<u8>>,
    indexes: usize,
    /// Platforms that were seen, for the message.
    others: BTreeSet<String>,
    /// Why something was passed over: what stands beside an image need not be one.
    refusal: Option<Error>,
}

impl Layout {
    /// Opens a layout. The path may be a link; what is beneath may not.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| LayoutError::Open { path: path.to_owned(), source: errno.into() })?;
        let layout = Self { blobs: Blobs::new(directory, path), path: path.to_owned() };
        let bytes = layout.blobs.file("oci-layout")?;
        let LayoutFile { image_layout_version: found } = json("file", "oci-layout", &bytes)?;
        if found != VERSION {
            let found = shown(&found);
            return Err(LayoutError::Version { path: layout.path, found }.into());
        }
        Ok(layout)
    }

    fn index(&self) -> Result<ImageIndex> {
        document::index("index.json", media::OCI_INDEX, &self.blobs.file("index.json")?)
    }

    /// The manifest for this platform, of the image with this reference, or of the only image.
    pub(crate) fn find(&self, reference: Option<&str>) -> Result<Found> {
        let index = self.index()?;
        let named = index.manifests().iter().filter(|descriptor| match reference {
            Some(reference) => is_called(descriptor, reference),
            None => true,
        });
        let named: Vec<_> = named.collect();
        let path = || self.path.clone();
        if named.is_empty() {
            return Err(match reference {
                Some(reference) => {
                    let found = index.manifests().iter().map(called).collect();
                    LayoutError::NoReference { path: path(), reference: shown(reference), found }
                }
                None => LayoutError::Empty { path: path() },
            }
            .into());
        }
        let read = |descriptor: &Descriptor| self.blobs.document(descriptor);
        let mut search = Search::new(self.path.display().to_string(), &read);
        let mut found: Vec<Found> = Vec::new();
        for descriptor in named {
            let annotation = |key| annotation(descriptor, key).map(str::to_owned);
            let Some(manifest) = search.descend(descriptor, 0)? else { continue };
            if found.iter().all(|other| other.manifest != manifest) {
                let (full_name, reference) = (annotation(FULL_NAME), annotation(REF_NAME));
                found.push(Found { manifest, full_name, reference });
            }
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(search.in_vain()),
            count => {
                let found = found.iter().map(|found| match (&found.reference, &found.full_name) {
                    (Some(name), _) | (None, Some(name)) => shown(name),
                    (None, None) => found.manifest.digest.to_string(),
                });
                Err(LayoutError::Ambiguous { path: path(), count, found: found.collect() }.into())
            }
        }
    }
}

impl<'a> Search<'a> {
    pub(crate) fn new(place: String, read: &'a dyn Fn(&Descriptor) -> Result<Vec<u8>>) -> Self {
        Self { place, read, indexes: 0, others: BTreeSet::new(), refusal: None }
    }

    /// Why nothing was found.
    pub(crate) fn in_vain(self) -> Error {
        let Self { place, others, refusal, .. } = self;
        let here = platform::architecture();
        let found = others.into_iter().collect();
        refusal.unwrap_or_else(|| LayoutError::Platform { place, here, found }.into())
    }

    /// The first manifest for this platform at or beneath a descriptor of an index.
    fn descend(&mut self, raw: &RawDescriptor, depth: usize) -> Result<Option<Descriptor>> {
        if let Some(platform) = raw.platform() {
            let platform = Platform {
                os: platform.os().to_string(),
                architecture: platform.architecture().to_string(),
                variant: platform.variant().clone(),
            };
            if !platform.is_here() {
                self.others.insert(shown(&platform.to_string()));
                return Ok(None);
            }
        }
        self.beneath(Descriptor::read(raw)?, depth)
    }

    /// The first manifest for this platform at or beneath what is described.
    pub(crate) fn beneath(
        &mut self,
        descriptor: Descriptor,
        depth: usize,
    ) -> Result<Option<Descriptor>> {
        match media::kind(&descriptor.media_type) {
            Ok(Kind::Manifest) => return Ok(Some(descriptor)),
            Ok(Kind::Index) => {}
            Err(reason) => {
                self.refusal = Some(refused(&descriptor, reason));
                return Ok(None);
            }
        }
        let place = || self.place.clone();
        if depth == DEEPEST {
            return Err(LayoutError::Deep { place: place() }.into());
        }
        if self.indexes == MOST_INDEXES {
            return Err(LayoutError::Many { place: place() }.into());
        }
        self.indexes += 1;
        let bytes = (self.read)(&descriptor)?;
        let name = descriptor.digest.to_string();
        let index = document::index(&name, &descriptor.media_type, &bytes)?;
        for manifest in index.manifests() {
            if let Some(found) = self.descend(manifest, depth + 1)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn annotation<'a>(descriptor: &'a RawDescriptor, key: &str) -> Option<&'a str> {
    descriptor.annotations().as_ref()?.get(key).map(String::as_str)
}

fn is_called(descriptor: &RawDescriptor, reference: &str) -> bool {
    annotation(descriptor, REF_NAME) == Some(reference)
        || annotation(descriptor, FULL_NAME) == Some(reference)
        || descriptor.digest().as_ref() == reference
}

/// What a person may write to mean this one.
fn called(descriptor: &RawDescriptor) -> String {
    let name = annotation(descriptor, REF_NAME).or_else(|| annotation(descriptor, FULL_NAME));
    shown(name.unwrap_or_else(|| descriptor.digest().as_ref()))
}
