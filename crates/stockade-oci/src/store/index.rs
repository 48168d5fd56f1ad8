//! Which images a store has.

use std::collections::HashMap;

use oci_spec::image::{
    Descriptor as RawDescriptor, Digest as RawDigest, ImageIndex, ImageIndexBuilder, MediaType,
};
use stockade_core::{Error, ErrorKind, Result};

use super::directory::INDEX;
use super::lock::Lock;
use super::workshop::Workshop;
use super::{Store, StoreError};
use crate::blobs::Descriptor;
use crate::digest::shown;
use crate::document;
use crate::layout::REF_NAME;
use crate::media;
use crate::name::Name;

/// Names, each with a manifest.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) entries: Vec<(Name, Descriptor)>,
}

impl Index {
    pub(super) fn read(store: &Store, _lock: &Lock) -> Result<Self> {
        let raw = document::index(INDEX, media::OCI_INDEX, &store.blobs.file(INDEX)?)?;
        let entries = raw.manifests().iter().map(|raw| {
            let text = raw.annotations().as_ref().and_then(|notes| notes.get(REF_NAME));
            let text = text.map(String::as_str).unwrap_or_default();
            let foreign =
                |_| StoreError::Foreign { path: store.path().to_owned(), found: shown(text) };
            let name: Name = text.parse().map_err(foreign)?;
            Ok((name, Descriptor::read(raw)?))
        });
        Ok(Self { entries: entries.collect::<Result<_>>()? })
    }

    /// Puts this in the place of what is there.
    pub(super) fn write(&self, store: &Store, lock: &Lock) -> Result<()> {
        let bytes = self.json().map_err(|error| Error::new(ErrorKind::Internal, error))?;
        Workshop::new(store, lock)?.replace(INDEX, &bytes)
    }

    fn json(&self) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let manifests = self.entries.iter().map(|(name, descriptor)| {
            let media_type = MediaType::from(descriptor.media_type.as_str());
            let digest: RawDigest = descriptor.digest.to_string().parse()?;
            let mut raw = RawDescriptor::new(media_type, descriptor.size, digest);
            raw.set_annotations(Some(HashMap::from([(REF_NAME.to_owned(), name.to_string())])));
            Ok(raw)
        });
        let manifests = manifests.collect::<Result<Vec<_>, oci_spec::OciSpecError>>()?;
        let index: ImageIndex = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageIndex)
            .manifests(manifests)
            .build()?;
        Ok(serde_json::to_vec(&index)?)
    }

    /// The manifest that a name means.
    pub(super) fn find(&self, name: &Name) -> Option<&Descriptor> {
        let mut entries = self.entries.iter();
        entries.find(|entry| is_meant(name, entry)).map(|(_, descriptor)| descriptor)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.to_string()).collect()
    }

    /// Gives a name to a manifest, and says whether that changes anything.
    pub(super) fn set(&mut self, name: &Name, manifest: &Descriptor) -> bool {
        match self.entries.iter_mut().find(|(other, _)| is_same(name, other)) {
            Some((_, descriptor)) if descriptor == manifest => false,
            Some((_, descriptor)) => {
                *descriptor = manifest.clone();
                true
            }
            None => {
                self.entries.push((name.clone(), manifest.clone()));
                true
            }
        }
    }

    /// Takes what a name means out, and says whether there was anything.
    pub(super) fn remove(&mut self, name: &Name) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !is_meant(name, entry));
        self.entries.len() < before
    }
}

fn is_meant(name: &Name, (other, descriptor): &(Name, Descriptor)) -> bool {
    let manifest = || name.digest().is_some_and(|digest| *digest == descriptor.digest);
    is_same(name, other) || name.same_repository(other) && manifest()
}

/// Whether two names are one: where there is a digest, which may be that of an index, no tag counts.
fn is_same(name: &Name, other: &Name) -> bool {
    match name.digest() {
        Some(digest) => name.same_repository(other) && other.digest() == Some(digest),
        None => name == other,
    }
}
