//! The files a program sees.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::PolicyError;
use super::limits::Limits;
use super::raw::Raw;
use super::table;
use super::units::{Bytes, Limit};

/// The files a program sees: a base, and what is mounted over it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Filesystem {
    /// What stands at `/`.
    pub base: Base,
    /// What is mounted over the base, in order; a target may not repeat.
    pub mounts: Vec<Mount>,
}

/// What stands at `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// The host's `/usr`, `/bin`, `/sbin` and `/lib*`, read-only; a minimal `/etc` and `/dev`;
    /// the sandbox's own `/proc`; an in-memory `/tmp` and `/dev/shm`.
    #[default]
    System,
    /// Nothing but `/dev`, `/proc`, `/tmp` and `/dev/shm`.
    Empty,
    /// A directory of the host, read-only, with the sandbox's own `/dev`, `/proc` and `/tmp`.
    /// The directory must hold these three as (empty) directories.
    Rootfs(PathBuf),
    /// The same, and the program may change it: what it writes is in memory, bounded by the `disk` limit
    /// and gone with the run. The directory itself stays as it is.
    WritableRootfs(PathBuf),
}

impl Base {
    /// The directory of the host that stands at `/`, if one does.
    pub fn rootfs(&self) -> Option<&Path> {
        match self {
            Self::Rootfs(path) | Self::WritableRootfs(path) => Some(path),
            Self::System | Self::Empty => None,
        }
    }
}

/// One thing mounted over the base.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mount {
    /// A file or directory of the host.
    Bind {
        /// Path on the host.
        source: PathBuf,
        /// Absolute path inside.
        target: String,
        /// Whether the program may write.
        access: Access,
    },
    /// A writable in-memory directory, empty at the start.
    Tmpfs {
        /// Absolute path inside.
        target: String,
        /// Its share of the `disk` limit; without it, it shares what `/tmp` has.
        size: Option<Bytes>,
    },
    /// A read-only file with the given contents.
    File {
        /// Absolute path inside.
        target: String,
        /// What it holds.
        contents: Vec<u8>,
    },
}

/// Whether a program may write to what it is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read only.
    #[default]
    Ro,
    /// Read and write.
    Rw,
}

impl Mount {
    /// A host path, read-only, at `target`.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self::Bind { source: source.into(), target: target.into(), access: Access::Ro }
    }

    /// A host path, writable, at `target`.
    pub fn read_write(source: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self::Bind { source: source.into(), target: target.into(), access: Access::Rw }
    }

    /// A writable in-memory directory at `target`, with its own share of the `disk` limit if
    /// `size` is given.
    pub fn tmpfs(target: impl Into<String>, size: Option<Bytes>) -> Self {
        Self::Tmpfs { target: target.into(), size }
    }

    /// A read-only file at `target`.
    pub fn file(target: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        Self::File { target: target.into(), contents: contents.into() }
    }

    /// Where it appears inside.
    pub fn target(&self) -> &str {
        match self {
            Self::Bind { target, .. } | Self::Tmpfs { target, .. } | Self::File { target, .. } => {
                target
            }
        }
    }
}

/// Places that belong to the sandbox itself.
const RESERVED: [&str; 3] = ["/", "/proc", "/dev"];

impl Filesystem {
    pub(super) fn validate(&self, limits: &Limits) -> Result<(), PolicyError> {
        if let Some(path) = self.base.rootfs()
            && (path.as_os_str().is_empty() || has_nul(path))
        {
            return Err(PolicyError::value(
                "filesystem.base.rootfs",
                path.to_string_lossy(),
                "the path of a directory",
            ));
        }
        let mut own_sizes: u64 = 0;
        let mut targets = BTreeSet::new();
        for (index, mount) in self.mounts.iter().enumerate() {
            let key = format!("filesystem.mounts[{index}].target");
            let target = mount.target();
            check_guest_path(&key, target)?;
            let reserved = RESERVED.contains(&target)
                || target.starts_with("/proc/")
                || (target.starts_with("/dev/") && target != "/dev/shm");
            if reserved {
                return Err(PolicyError::value(
                    key,
                    target,
                    "a place outside `/proc` and `/dev`, and not `/` itself",
                ));
            }
            if !targets.insert(target) {
                return Err(PolicyError::value(key, target, "a target used only once"));
            }
            own_sizes = own_sizes.saturating_add(mount.validate(index)?);
        }
        if let Limit::At(Bytes(disk)) = limits.disk
            && own_sizes.saturating_add(super::limits::MIN_DISK) > disk
            && own_sizes > 0
        {
            return Err(PolicyError::value(
                "limits.disk",
                limits.disk.to_string(),
                format!(
                    "at least {} (the sizes of all tmpfs mounts, and 64KiB for `/tmp`)",
                    Bytes(own_sizes.saturating_add(super::limits::MIN_DISK))
                ),
            ));
        }
        Ok(())
    }
}

impl Mount {
    /// Checks what only this kind of mount has; returns the share of `disk` it takes.
    fn validate(&self, index: usize) -> Result<u64, PolicyError> {
        match self {
            Self::Bind { source, .. } if source.as_os_str().is_empty() || has_nul(source) => {
                Err(PolicyError::value(
                    format!("filesystem.mounts[{index}].bind"),
                    source.to_string_lossy(),
                    "a path without NUL",
                ))
            }
            Self::Tmpfs { size: Some(size), .. } if size.0 < 4096 => Err(PolicyError::value(
                format!("filesystem.mounts[{index}].size"),
                size.to_string(),
                "at least 4KiB",
            )),
            Self::Tmpfs { size: Some(size), .. } => Ok(size.0),
            Self::Bind { .. } | Self::Tmpfs { .. } | Self::File { .. } => Ok(0),
        }
    }
}

fn has_nul(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&0)
}

/// Checks a path inside the sandbox: absolute, normal, printable as a C string.
pub(super) fn check_guest_path(key: &str, path: &str) -> Result<(), PolicyError> {
    let normal = path == "/"
        || (path.starts_with('/')
            && path.len() < 4096
            && !path.contains('\0')
            && path[1..]
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != ".." && part.len() < 256));
    if normal {
        Ok(())
    } else {
        Err(PolicyError::value(
            key,
            path,
            "an absolute path without `.`, `..`, empty parts, a trailing `/` or NUL",
        ))
    }
}

/// What a policy file may have as its base.
const BASES: [&str; 3] = ["system", "empty", "rootfs"];

/// The shape of a base that is a directory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootfsText {
    rootfs: Raw,
    #[serde(default)]
    writable: bool,
}

struct BaseText;

impl<'de> Visitor<'de> for BaseText {
    type Value = Base;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`system`, `empty`, or a table with `rootfs`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Base, E> {
        match text {
            "system" => Ok(Base::System),
            "empty" => Ok(Base::Empty),
            "rootfs" => Err(E::invalid_type(Unexpected::Str(text), &self)),
            other => Err(E::unknown_variant(other, &BASES)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Base, A::Error> {
        let text = RootfsText::deserialize(MapAccessDeserializer::new(entries))?;
        let path = text.rootfs.into_path();
        Ok(if text.writable { Base::WritableRootfs(path) } else { Base::Rootfs(path) })
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BaseText)
    }
}

impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (path, writable) = match self {
            Self::System => return serializer.serialize_str("system"),
            Self::Empty => return serializer.serialize_str("empty"),
            Self::Rootfs(path) => (path, false),
            Self::WritableRootfs(path) => (path, true),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rootfs", &Raw::from(path.as_path()))?;
        // Only where it is said, so that what a policy without it hashes to stays the same.
        if writable {
            map.serialize_entry("writable", &true)?;
        }
        map.end()
    }
}

/// The shape of a mount in a policy file: exactly one of `bind`, `tmpfs` and `file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MountText {
    bind: Option<Raw>,
    tmpfs: Option<String>,
    file: Option<String>,
    target: Option<String>,
    access: Option<Access>,
    size: Option<Bytes>,
    contents: Option<Raw>,
}

impl<'de> Deserialize<'de> for Mount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: MountText = table::table(deserializer)?;
        match text {
            MountText {
                bind: Some(source),
                target: Some(target),
                access,
                tmpfs: None,
                file: None,
                size: None,
                contents: None,
            } => {
                let access = access.unwrap_or_default();
                Ok(Self::Bind { source: source.into_path(), target, access })
            }
            MountText {
                tmpfs: Some(target),
                size,
                bind: None,
                file: None,
                target: None,
                access: None,
                contents: None,
            } => Ok(Self::Tmpfs { target, size }),
            MountText {
                file: Some(target),
                contents: Some(contents),
                bind: None,
                tmpfs: None,
                target: None,
                access: None,
                size: None,
            } => Ok(Self::File { target, contents: contents.into_bytes() }),
            _ => Err(de::Error::custom(
                "a mount is `bind` with `target` (and `access`), `tmpfs` (with `size`), \
                 or `file` with `contents`",
            )),
        }
    }
}

impl Serialize for Mount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Bind { source, target, access } => {
                map.serialize_entry("bind", &Raw::from(source.as_path()))?;
                map.serialize_entry("target", target)?;
                map.serialize_entry("access", access)?;
            }
            Self::Tmpfs { target, size } => {
                map.serialize_entry("tmpfs", target)?;
                if let Some(size) = size {
                    map.serialize_entry("size", size)?;
                }
            }
            Self::File { target, contents } => {
                map.serialize_entry("file", target)?;
                map.serialize_entry("contents", &Raw::from(contents.as_slice()))?;
            }
        }
        map.end()
    }
}
