//! [`Name`]: what an image is called.

use std::fmt;
use std::str::FromStr;

use stockade_core::{Error, ErrorKind};

use crate::digest::{Digest, shown};

/// Most bytes of a name without tag and digest, as registries have it.
const LONGEST: usize = 255;
/// Most bytes of a tag.
const LONGEST_TAG: usize = 128;
/// The registry that a name without one means, and its other name.
const DEFAULT_REGISTRIES: [&str; 2] = ["docker.io", "index.docker.io"];
/// Where that registry keeps images whose name has one part.
const DEFAULT_NAMESPACE: &str = "library/";

/// The name of an image: `[registry/]path[:tag][@digest]`, as the distribution specification has it.
///
/// The tag is `latest` unless the name says otherwise; where there is a digest, that counts and the tag
/// does not. `docker.io/library/alpine` and `alpine` are one name, shown in the short form.
///
/// ```
/// use stockade_oci::Name;
/// let name: Name = "docker.io/library/alpine".parse()?;
/// assert_eq!(name.to_string(), "alpine:latest");
/// let name: Name = "localhost:5000/team/app:1.2".parse()?;
/// assert_eq!((name.registry(), name.path(), name.tag()), (Some("localhost:5000"), "team/app", "1.2"));
/// assert!("Not A Name".parse::<Name>().is_err());
/// # Ok::<(), stockade_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    registry: Option<String>,
    path: String,
    tag: String,
    digest: Option<Digest>,
}

/// A text that is no name.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no name of an image: {reason}")]
struct NotAName {
    text: String,
    reason: &'static str,
}

impl From<NotAName> for Error {
    fn from(error: NotAName) -> Self {
        Self::new(ErrorKind::InvalidPolicy, error).with_hint(
            "a name is `[registry/]path[:tag][@digest]`, the path in lower case; \
             an image elsewhere is `oci:DIR[:REF]` or `docker-archive:FILE[:NAME]`",
        )
    }
}

impl Name {
    /// The registry it comes from, with its port if it has one; none for Docker's own.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The path within the registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, `latest` if none was given.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The digest, if the name has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether both name the same images, whatever their tags and digests.
    pub(crate) fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.path == other.path
    }

    /// The name without its digest.
    pub(crate) fn without_digest(self) -> Self {
        Self { digest: None, ..self }
    }

    /// A name made of words that need not fit: what does not is left out.
    pub(crate) fn made_of(path: &str, tag: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let parts =
            lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
        let mut path = parts.collect::<Vec<_>>().join("-");
        path.truncate(LONGEST);
        let path = path.trim_end_matches('-');
        let path = if path.is_empty() { "image" } else { path };
        let tag = if is_tag(tag) { tag } else { "latest" };
        Self { registry: None, path: path.to_owned(), tag: tag.to_owned(), digest: None }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(Digest::read(digest).map_err(|_| "what follows `@` is no digest")?))
            }
            None => (text, None),
        };
        // A colon before the last slash is that of a port.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (rest, tag) = match rest[last..].rfind(':') {
            Some(colon) => (&rest[..last + colon], &rest[last + colon + 1..]),
            None => (rest, "latest"),
        };
        if !is_tag(tag) {
            return Err("the tag does not fit");
        }
        if rest.len() > LONGEST {
            return Err("it is longer than 255 bytes");
        }
        let (registry, path) = match rest.split_once('/') {
            Some((first, path)) if means_registry(first) => (Some(first), path),
            _ => (None, rest),
        };
        if registry.is_some_and(|registry| !is_registry(registry)) {
            return Err("its registry is no host name");
        }
        if !path.split('/').all(is_component) {
            return Err("its path does not fit");
        }
        let registry = registry.filter(|registry| !DEFAULT_REGISTRIES.contains(registry));
        let short = path.strip_prefix(DEFAULT_NAMESPACE).filter(|rest| !rest.contains('/'));
        let path = if registry.is_none() { short.unwrap_or(path) } else { path };
        Ok(Self {
            registry: registry.map(str::to_owned),
            path: path.to_owned(),
            tag: tag.to_owned(),
            digest,
        })
    }
}

/// Whether the first part of a name is a registry and not a part of the path.
fn means_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':', '['])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (
                "address",
                port.strip_prefix(':').or(if port.is_empty() { None } else { Some("") }),
            ),
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, with single dots, one or two underscores or any dashes between.
fn is_component(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(word) && bytes.last().is_some_and(word);
    let separators = bytes.split(word).filter(|run| !run.is_empty());
    ends && separators
        .into_iter()
        .all(|run| matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty()
        && text.len() <= LONGEST_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

impl FromStr for Name {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] naming a text that is no name, and why.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|reason| NotAName { text: shown(text), reason }.into())
    }
}

/// Its text.
impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(&self.path)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => write!(f, ":{}", self.tag),
        }
    }
}

#[cfg(test)]
mod tests;
