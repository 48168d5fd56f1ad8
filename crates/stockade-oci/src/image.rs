//! [`Image`]: what an image says of itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use oci_spec::image::ImageConfiguration;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use stockade_core::{Base, Error, ErrorKind, Policy, Result};

use crate::blobs::Descriptor;
use crate::compression::Compression;
use crate::digest::{Digest, shown};
use crate::document::{Manifest, json};
use crate::failure::malformed;
use crate::platform::{self, Platform};

/// An image whose manifest and configuration were read and verified.
///
/// A [`Store`](crate::Store) gives one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// The manifest, whose digest identifies the image.
    pub manifest: Descriptor,
    /// What it runs and how.
    pub config: Config,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Where the configuration is kept.
    pub(crate) config_descriptor: Descriptor,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Layer {
    /// Its bytes, as they are kept.
    pub descriptor: Descriptor,
    /// How they are compressed.
    pub compression: Compression,
    /// The digest of what they are uncompressed.
    pub diff_id: Digest,
}

/// What an image runs, and how.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Config {
    /// The program, and arguments that it always gets.
    pub entrypoint: Vec<String>,
    /// Arguments, or the program if there is no entrypoint, unless the user gives some.
    pub cmd: Vec<String>,
    /// The environment, in its order.
    pub env: Vec<(String, String)>,
    /// The working directory, absolute and without `.` and `..`; `/` if the image says none.
    pub working_dir: String,
    /// The user that the image would run as. It is noted and not followed: a sandbox gives ids of its own.
    pub user: String,
    /// What else its makers say of it.
    pub labels: BTreeMap<String, String>,
    /// The architecture it is for, as Go calls it: `amd64`, `arm64`.
    pub architecture: String,
    /// The operating system it is for.
    pub os: String,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error("the image {image} is for {found}, and this is linux/{here}")]
    Platform { image: Digest, found: String, here: &'static str },
    #[error("the image {image} has {layers} layers, and the digests of {diff_ids}")]
    Layers { image: Digest, layers: usize, diff_ids: usize },
    #[error("the image {image} has {entry:?} in its environment, which is no `KEY=VALUE`")]
    Env { image: Digest, entry: String },
    #[error("the image {image} has a NUL in its {key}")]
    Nul { image: Digest, key: &'static str },
    #[error("the image {image} has neither entrypoint nor command")]
    NothingToRun { image: Digest },
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        match &error {
            ConfigError::Platform { .. } => Self::new(ErrorKind::Unsupported, error)
                .with_hint("get the image for this platform"),
            ConfigError::NothingToRun { .. } => malformed(error, "say what to run in it"),
            _ => malformed(error, "the image is malformed; build it again"),
        }
    }
}

impl Image {
    /// An image, from its manifest and the bytes of its configuration.
    pub(crate) fn read(manifest: Manifest, config: &[u8]) -> Result<Self> {
        let image = manifest.descriptor.digest.clone();
        let name = manifest.config.digest.to_string();
        let raw: ImageConfiguration = json("configuration", &name, config)?;
        let platform = Platform {
            os: raw.os().to_string(),
            architecture: raw.architecture().to_string(),
            variant: None,
        };
        if !platform.is_here() {
            let (found, here) = (shown(&platform.to_string()), platform::architecture());
            return Err(ConfigError::Platform { image, found, here }.into());
        }
        let diff_ids = raw.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers.len() {
            let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
            return Err(ConfigError::Layers { image, layers, diff_ids }.into());
        }
        let layers = manifest.layers.into_iter().zip(diff_ids);
        let layers = layers.map(|((descriptor, compression), diff_id)| {
            Ok(Layer { descriptor, compression, diff_id: diff_id.parse()? })
        });
        let layers = layers.collect::<Result<_>>()?;
        let config = Config::read(&raw, platform, &image)?;
        let Manifest { descriptor: manifest, config: config_descriptor, .. } =
            Manifest { layers: Vec::new(), ..manifest };
        Ok(Self { manifest, config, layers, config_descriptor })
    }

    /// The digest of its manifest.
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// Bytes of manifest, configuration and layers, as they are kept.
    pub fn size(&self) -> u64 {
        let layers = self.layers.iter().map(|layer| layer.descriptor.size);
        layers.fold(
            self.manifest.size.saturating_add(self.config_descriptor.size),
            u64::saturating_add,
        )
    }

    /// The program and its arguments: the entrypoint, then the words of the user, or, if there are none,
    /// what the image has in their place.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] if nobody says what to run.
    pub fn command(&self, args: &[OsString]) -> Result<(OsString, Vec<OsString>)> {
        let given = if args.is_empty() {
            self.config.cmd.iter().map(OsString::from).collect()
        } else {
            args.to_vec()
        };
        let mut words = self.config.entrypoint.iter().map(OsString::from).chain(given);
        match words.next() {
            Some(program) if !program.is_empty() => Ok((program, words.collect())),
            _ => Err(ConfigError::NothingToRun { image: self.digest().clone() }.into()),
        }
    }

    /// What [`Root::apply_to`](crate::Root::apply_to) says.
    pub(crate) fn apply_to(&self, root: &Path, policy: &mut Policy) {
        policy.filesystem.base = Base::WritableRootfs(root.to_owned());
        policy.process.cwd.clone_from(&self.config.working_dir);
        policy.process.env.extend(self.config.env.iter().cloned());
    }
}

/// Its digest, its size and its configuration.
impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut image = serializer.serialize_struct("Image", 3)?;
        image.serialize_field("digest", self.digest())?;
        image.serialize_field("size", &self.size())?;
        image.serialize_field("config", &self.config)?;
        image.end()
    }
}

impl Config {
    fn read(raw: &ImageConfiguration, platform: Platform, image: &Digest) -> Result<Self> {
        let config = raw.config().clone().unwrap_or_default();
        let entrypoint = config.entrypoint().clone().unwrap_or_default();
        let cmd = config.cmd().clone().unwrap_or_default();
        let env = config.env().iter().flatten().map(|entry| variable(entry, image));
        let env = env.collect::<Result<_, _>>()?;
        let working_dir = config.working_dir().clone().unwrap_or_default();
        let nul = |words: &[String]| words.iter().any(|word| word.contains('\0'));
        let places = [
            ("entrypoint", nul(&entrypoint)),
            ("command", nul(&cmd)),
            ("working directory", working_dir.contains('\0')),
        ];
        if let Some((key, _)) = places.into_iter().find(|(_, found)| *found) {
            return Err(ConfigError::Nul { image: image.clone(), key }.into());
        }
        Ok(Self {
            entrypoint,
            cmd,
            env,
            working_dir: normal(&working_dir),
            user: config.user().clone().unwrap_or_default(),
            labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
            architecture: platform.architecture,
            os: platform.os,
        })
    }
}

fn variable(entry: &str, image: &Digest) -> Result<(String, String), ConfigError> {
    match entry.split_once('=') {
        Some((key, value)) if !key.is_empty() && !entry.contains('\0') => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(ConfigError::Env { image: image.clone(), entry: shown(entry) }),
    }
}

/// An absolute path without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests;
