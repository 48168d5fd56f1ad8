//! Indexes and manifests, and what may be wrong with their JSON.

use oci_spec::image::{ImageIndex, ImageManifest};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use stockade_core::{Error, ErrorKind, Result};

use crate::blobs::Descriptor;
use crate::compression::Compression;
use crate::digest::{Digest, shown};
use crate::failure::malformed;
use crate::media::{self, Kind, Refused};

/// Most layers an image may have.
pub(crate) const MOST_LAYERS: usize = 256;

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("the {what} {name} cannot be read as what it should be")]
    Json { what: &'static str, name: String, source: serde_json::Error },
    #[error("the {what} {name} has schema version {found}, not 2")]
    Schema { what: &'static str, name: String, found: u64 },
    #[error("the {what} {name} also says what only another kind of document says: {key:?}")]
    Ambiguous { what: &'static str, name: String, key: &'static str },
    #[error("the {what} {name} is {found:?} to its index and {inside:?} to itself")]
    TwoTypes { what: &'static str, name: String, found: String, inside: String },
    #[error("{digest} is {reason}: {media_type:?}")]
    MediaType { digest: Digest, media_type: String, reason: &'static str },
    #[error("the manifest {name} has {found} layers, more than {MOST_LAYERS}")]
    Layers { name: String, found: usize },
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Self {
        match &error {
            DocumentError::MediaType { .. } => Self::new(ErrorKind::Unsupported, error).with_hint(
                "images of the Open Container Initiative and of Docker's schema 2 are read",
            ),
            _ => malformed(error, "the image is damaged or was tampered with; get it again"),
        }
    }
}

/// A media type that is not read.
pub(crate) fn refused(descriptor: &Descriptor, refused: Refused) -> Error {
    let media_type = shown(&descriptor.media_type);
    let (digest, reason) = (descriptor.digest.clone(), refused.reason());
    DocumentError::MediaType { digest, media_type, reason }.into()
}

/// JSON of a kind of document.
pub(crate) fn json<T: DeserializeOwned>(what: &'static str, name: &str, bytes: &[u8]) -> Result<T> {
    let parsed = serde_json::from_slice(bytes);
    Ok(parsed.map_err(|source| DocumentError::Json { what, name: name.to_owned(), source })?)
}

/// What tells kinds of documents apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marks {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

/// Refuses a document that two readers could take for two things.
fn unambiguous(kind: Kind, name: &str, found: &str, bytes: &[u8]) -> Result<()> {
    let what = word(kind);
    let name = || name.to_owned();
    let marks: Marks = json(what, &name(), bytes)?;
    if marks.schema_version != 2 {
        let found = marks.schema_version;
        return Err(DocumentError::Schema { what, name: name(), found }.into());
    }
    let foreign = match kind {
        Kind::Index => [("config", &marks.config), ("layers", &marks.layers)],
        Kind::Manifest => [("manifests", &marks.manifests), ("fsLayers", &marks.fs_layers)],
    };
    if let Some((key, _)) = foreign.into_iter().find(|(_, value)| value.is_some()) {
        return Err(DocumentError::Ambiguous { what, name: name(), key }.into());
    }
    match marks.media_type {
        Some(inside) if inside != found && !inside.is_empty() => {
            let (found, inside) = (shown(found), shown(&inside));
            Err(DocumentError::TwoTypes { what, name: name(), found, inside }.into())
        }
        _ => Ok(()),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Index => "index",
        Kind::Manifest => "manifest",
    }
}

/// An index that a descriptor names, or the one that a layout begins with.
pub(crate) fn index(name: &str, media_type: &str, bytes: &[u8]) -> Result<ImageIndex> {
    unambiguous(Kind::Index, name, media_type, bytes)?;
    json(word(Kind::Index), name, bytes)
}

/// What a manifest says.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) descriptor: Descriptor,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<(Descriptor, Compression)>,
}

impl Manifest {
    pub(crate) fn read(descriptor: &Descriptor, bytes: &[u8]) -> Result<Self> {
        let name = descriptor.digest.to_string();
        unambiguous(Kind::Manifest, &name, &descriptor.media_type, bytes)?;
        let manifest: ImageManifest = json(word(Kind::Manifest), &name, bytes)?;
        let config = Descriptor::read(manifest.config())?;
        media::config(&config.media_type).map_err(|reason| refused(&config, reason))?;
        let found = manifest.layers().len();
        if found > MOST_LAYERS {
            return Err(DocumentError::Layers { name, found }.into());
        }
        let layers = manifest.layers().iter().map(|layer| {
            let layer = Descriptor::read(layer)?;
            let compression = media::layer(&layer.media_type);
            let compression = compression.map_err(|reason| refused(&layer, reason))?;
            Ok((layer, compression))
        });
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self { descriptor: descriptor.clone(), config, layers })
    }
}

impl Manifest {
    /// Bytes of what it names and of itself.
    pub(crate) fn size(&self) -> u64 {
        let layers = self.layers.iter().map(|(layer, _)| layer.size);
        layers.fold(self.descriptor.size.saturating_add(self.config.size), u64::saturating_add)
    }
}
