//! Media types: what is read, and what is refused by its name.

use crate::compression::Compression;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// What a registry may answer with.
#[cfg(feature = "pull")]
pub(crate) const MANIFESTS: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
/// The manifests of before 2016, plain and signed.
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// What a descriptor of an index names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Index,
    Manifest,
}

/// Why something of this type is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Once of use, or of use to others.
    Known(&'static str),
    /// Never heard of.
    Unknown,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Known(reason) => reason,
            Self::Unknown => "a media type that is not known here",
        }
    }
}

pub(crate) fn kind(media_type: &str) -> Result<Kind, Refused> {
    match media_type {
        OCI_INDEX | DOCKER_LIST => Ok(Kind::Index),
        OCI_MANIFEST | DOCKER_MANIFEST => Ok(Kind::Manifest),
        old if old.starts_with(DOCKER_SCHEMA_1) => Err(Refused::Known(
            "a manifest of Docker's schema 1, which has no digests of its parts",
        )),
        _ => Err(Refused::Unknown),
    }
}

pub(crate) fn config(media_type: &str) -> Result<(), Refused> {
    match media_type {
        OCI_CONFIG | DOCKER_CONFIG => Ok(()),
        "application/vnd.oci.empty.v1+json" => {
            Err(Refused::Known("an artifact that is no container image"))
        }
        _ => Err(Refused::Unknown),
    }
}

pub(crate) fn layer(media_type: &str) -> Result<Compression, Refused> {
    match media_type {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Compression::None),
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Compression::Gzip),
        "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Compression::Zstd),
        other if other.ends_with("+encrypted") => Err(Refused::Known("an encrypted layer")),
        other if other.contains(".nondistributable.") || other.contains(".foreign.") => {
            Err(Refused::Known("a layer that is kept elsewhere, and not part of the image"))
        }
        _ => Err(Refused::Unknown),
    }
}

/// The type of a layer that was found compressed this way.
pub(crate) fn of_layer(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "application/vnd.oci.image.layer.v1.tar",
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}
