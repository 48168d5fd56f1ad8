//! From a layout or an archive into the store.

use std::io::Read;
use std::path::Path;

use oci_spec::image::{
    Descriptor as RawDescriptor, Digest as RawDigest, ImageConfiguration, ImageManifestBuilder,
    MediaType,
};
use stockade_core::{Error, ErrorKind, Result};

use super::index::Index;
use super::lock::Lock;
use super::workshop::{Workshop, of_part};
use super::{Progress, Store, StoreError};
use crate::archive::{DockerArchive, promised};
use crate::blobs::Descriptor;
use crate::compression::Compression;
use crate::digest::{Algorithm, Digest, Hasher, Mismatch, Size, Verifier};
use crate::document::{Manifest, json};
use crate::failure::malformed;
use crate::image::Image;
use crate::layout::{Found, Layout};
use crate::media;
use crate::name::Name;
use crate::source::Source;

/// Most bytes that a layer may be, uncompressed.
pub(super) const LARGEST_LAYER: u64 = 64 << 30;
/// A layer whose digest is not known yet.
const INCOMING: &str = "incoming";

/// What is wrong with an image of an archive.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("{entry:?} of the archive is {found}, which is not what its name says")]
    Promised { entry: String, found: Digest },
    #[error("{entry:?} of the archive ends after {found} of {size} bytes")]
    Short { entry: String, size: u64, found: u64 },
    #[error("{layers} layers of the archive have {diff_ids} digests in the image's configuration")]
    Layers { layers: usize, diff_ids: usize },
    #[error("the layer {entry:?} of the archive is not the one that the image is made of")]
    Layer { entry: String, source: Mismatch },
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        malformed(error, "the archive is damaged or was tampered with; save the image again")
    }
}

/// What the caller is told.
type Observer<'a> = dyn FnMut(Progress<'_>) + 'a;

pub(super) fn load(
    store: &Store,
    source: &Source,
    name: Option<&Name>,
    observer: &mut Observer<'_>,
) -> Result<Image> {
    // What was not asked for by its digest is not called by it.
    let name = &name.map(|name| name.clone().without_digest());
    let name = name.as_ref();
    match source {
        Source::Layout { directory, reference } => {
            layout(store, directory, reference.as_deref(), name, observer)
        }
        Source::DockerArchive { file, reference } => {
            archive(store, file, reference.as_ref(), name, observer)
        }
        Source::Name(known) => {
            let image = store.find(known)?;
            if let Some(name) = name {
                let lock = Lock::shared(store)?;
                let workshop = Workshop::new(store, &lock)?;
                drop(lock);
                finish(store, &workshop, &image, std::slice::from_ref(name))?;
            }
            Ok(image)
        }
    }
}

fn layout(
    store: &Store,
    path: &Path,
    reference: Option<&str>,
    name: Option<&Name>,
    observer: &mut Observer<'_>,
) -> Result<Image> {
    let layout = Layout::open(path)?;
    let found = layout.find(reference)?;
    let manifest = layout.blobs.document(&found.manifest)?;
    let parsed = Manifest::read(&found.manifest, &manifest)?;
    let config = layout.blobs.document(&parsed.config)?;
    let image = Image::read(parsed, &config)?;
    let workshop = begin(store)?;
    workshop.stage(&image.manifest.digest, &manifest)?;
    workshop.stage(&image.config_descriptor.digest, &config)?;
    for layer in &image.layers {
        let Descriptor { digest, size, .. } = &layer.descriptor;
        let text = digest.to_string();
        if workshop.has(digest) || workshop.borrow(digest, *size) {
            observer(Progress { blob: &text, done: *size, size: *size });
            continue;
        }
        let mut bytes = layout.blobs.open(&layer.descriptor)?;
        let mut progress = of_part(observer, &text, *size);
        workshop.write(&digest.file_name(), &mut bytes, &mut progress)?;
    }
    let name = name.cloned().unwrap_or_else(|| layout_name(&found, path, reference));
    finish(store, &workshop, &image, &[name])?;
    Ok(image)
}

/// What an image of a layout is called: see [`Store::load`].
fn layout_name(found: &Found, path: &Path, reference: Option<&str>) -> Name {
    let reference = found.reference.as_deref().or(reference);
    // A reference alone is a tag, which says nothing of what it tags.
    let whole = reference.filter(|text| text.contains(['/', ':']));
    let named = [found.full_name.as_deref(), whole].into_iter().flatten();
    let parsed = named.filter_map(|text| text.parse::<Name>().ok()).next();
    let made = || Name::made_of(&stem(path), reference.unwrap_or_default());
    parsed.unwrap_or_else(made).without_digest()
}

/// The last part of a path, without what says how a file is written.
fn stem(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut stem = name.as_str();
    for ending in [".gz", ".tgz", ".zst", ".tar"] {
        stem = stem.strip_suffix(ending).unwrap_or(stem);
    }
    stem.to_owned()
}

/// A layer as it came out of an archive.
struct Unnamed {
    entry: String,
    digest: Digest,
    size: u64,
    compression: Compression,
}

fn archive(
    store: &Store,
    path: &Path,
    reference: Option<&Name>,
    name: Option<&Name>,
    observer: &mut Observer<'_>,
) -> Result<Image> {
    let mut archive = DockerArchive::open(path)?;
    let selected = archive.select(reference)?;
    let workshop = begin(store)?;
    let mut taken: Vec<Unnamed> = Vec::new();
    let config = archive.extract(&selected, &mut |entry, size, bytes| {
        taken.push(take(&workshop, entry, size, bytes, observer)?);
        Ok(())
    })?;
    let config_digest = Digest::of(&config);
    kept_promise(&selected.config, &config_digest)?;
    let raw: ImageConfiguration = json("configuration", &selected.config, &config)?;
    let diff_ids = raw.rootfs().diff_ids();
    if diff_ids.len() != selected.layers.len() {
        let (layers, diff_ids) = (selected.layers.len(), diff_ids.len());
        return Err(LoadError::Layers { layers, diff_ids }.into());
    }
    let mut layers = Vec::new();
    for (entry, diff_id) in selected.layers.iter().zip(diff_ids) {
        // Every entry that was selected was taken.
        let Some(layer) = taken.iter().find(|layer| layer.entry == *entry) else { continue };
        verify(&workshop, layer, &diff_id.parse()?)?;
        layers.push(layer);
    }
    let manifest = manifest(&config_digest, config.len() as u64, &layers)
        .map_err(|error| Error::new(ErrorKind::Internal, error))?;
    let descriptor = Descriptor {
        media_type: media::OCI_MANIFEST.to_owned(),
        digest: Digest::of(&manifest),
        size: manifest.len() as u64,
    };
    let image = Image::read(Manifest::read(&descriptor, &manifest)?, &config)?;
    workshop.stage(&descriptor.digest, &manifest)?;
    workshop.stage(&config_digest, &config)?;
    let made = || vec![Name::made_of(&stem(archive.path()), "")];
    let names = match name {
        Some(name) => vec![name.clone()],
        None if selected.names.is_empty() => made(),
        None => selected.names.into_iter().map(Name::without_digest).collect(),
    };
    finish(store, &workshop, &image, &names)?;
    Ok(image)
}

/// Hashes what is read through it.
struct Hashing<'a> {
    inner: &'a mut dyn Read,
    hasher: Hasher,
    begin: Vec<u8>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.hasher.update(&buf[..read]);
        let missing = Compression::TOLD_BY.saturating_sub(self.begin.len()).min(read);
        self.begin.extend_from_slice(&buf[..missing]);
        Ok(read)
    }
}

/// Takes a layer out of an archive.
fn take(
    workshop: &Workshop<'_>,
    entry: &str,
    size: u64,
    bytes: &mut dyn Read,
    observer: &mut Observer<'_>,
) -> Result<Unnamed> {
    let hasher = Hasher::new(Algorithm::Sha256);
    let mut bytes = Hashing { inner: bytes, hasher, begin: Vec::new() };
    let mut progress = of_part(observer, entry, size);
    let found = workshop.write(INCOMING, &mut bytes, &mut progress)?;
    if found != size {
        return Err(LoadError::Short { entry: entry.to_owned(), size, found }.into());
    }
    let compression = Compression::of(&bytes.begin);
    let digest = bytes.hasher.finish();
    kept_promise(entry, &digest)?;
    workshop.rename(INCOMING, &digest.file_name())?;
    Ok(Unnamed { entry: entry.to_owned(), digest, size, compression })
}

/// Compares a digest with the name of an entry, if that is one.
fn kept_promise(entry: &str, found: &Digest) -> Result<()> {
    match promised(entry) {
        // In older archives a layer's directory is named by a digest of something else, not the layer.
        Some(promise) if promise != *found => {
            let (entry, found) = (entry.to_owned(), found.clone());
            Err(LoadError::Promised { entry, found }.into())
        }
        _ => Ok(()),
    }
}

/// Compares a layer with the digest that the configuration has of it.
fn verify(workshop: &Workshop<'_>, layer: &Unnamed, diff_id: &Digest) -> Result<()> {
    let wrong = |source| LoadError::Layer { entry: layer.entry.clone(), source };
    if layer.compression == Compression::None && diff_id.algorithm() == Algorithm::Sha256 {
        if layer.digest == *diff_id {
            return Ok(());
        }
        let (expected, found) = (diff_id.clone(), layer.digest.clone());
        return Err(wrong(Mismatch::Digest { expected, found }).into());
    }
    let file = workshop.open(&layer.digest.file_name())?;
    let bytes = layer.compression.reader(file);
    let mut verifier = Verifier::new(bytes, diff_id.clone(), Size::AtMost(LARGEST_LAYER));
    match std::io::copy(&mut verifier, &mut std::io::sink()) {
        Ok(_) => Ok(()),
        Err(source) => Err(match verifier.mismatch() {
            Some(mismatch) => wrong(mismatch.clone()).into(),
            None => StoreError::Layer { layer: layer.digest.clone(), source }.into(),
        }),
    }
}

/// The manifest of an image that came without one.
fn manifest(
    config: &Digest,
    size: u64,
    layers: &[&Unnamed],
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let raw = |digest: &Digest, media_type: &str, size| {
        let digest: RawDigest = digest.to_string().parse()?;
        Ok(RawDescriptor::new(MediaType::from(media_type), size, digest))
    };
    let layers = layers
        .iter()
        .map(|layer| raw(&layer.digest, media::of_layer(layer.compression), layer.size));
    let layers = layers.collect::<Result<Vec<_>, oci_spec::OciSpecError>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(raw(config, media::OCI_CONFIG, size)?)
        .layers(layers)
        .build()?;
    Ok(serde_json::to_vec(&manifest)?)
}

pub(super) fn begin(store: &Store) -> Result<Workshop<'_>> {
    let lock = Lock::shared(store)?;
    Workshop::new(store, &lock)
}

/// Puts blobs in place, then names them. Whoever is killed in between leaves garbage, and nothing else.
pub(super) fn finish(
    store: &Store,
    workshop: &Workshop<'_>,
    image: &Image,
    names: &[Name],
) -> Result<()> {
    store.go_on()?;
    let lock = Lock::exclusive(store)?;
    let layers = image.layers.iter().map(|layer| &layer.descriptor.digest);
    let documents = [&image.manifest.digest, &image.config_descriptor.digest];
    let mut placed = false;
    for digest in documents.into_iter().chain(layers) {
        // A layer that occurs twice is in place already.
        if workshop.has(digest) {
            workshop.place(digest, &lock)?;
            placed = true;
        }
    }
    let mut index = Index::read(store, &lock)?;
    let mut changed = false;
    for name in names {
        changed |= index.set(name, &image.manifest);
    }
    if placed && changed {
        super::directory::sync_blobs(store)?;
    }
    if changed { index.write(store, &lock) } else { Ok(()) }
}
