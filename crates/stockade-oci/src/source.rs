//! [`Source`]: where an image comes from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use stockade_core::{Error, ErrorKind};

use crate::digest::shown;
use crate::name::Name;

const LAYOUT: &str = "oci:";
const DOCKER_ARCHIVE: &str = "docker-archive:";

/// Where an image comes from, as users write it.
///
/// A path in it holds no colon, since what follows the first one is the reference; one that does can be
/// given to [`Source::at`].
///
/// ```
/// use stockade_oci::Source;
/// let source: Source = "oci:/srv/images/app:v1".parse()?;
/// assert!(matches!(source, Source::Layout { reference: Some(_), .. }));
/// let source: Source = "alpine:3.20".parse()?;
/// assert!(matches!(source, Source::Name(_)));
/// # Ok::<(), stockade_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `oci:DIR[:REF]`: a directory with the layout of the image specification.
    Layout {
        /// The directory.
        directory: PathBuf,
        /// Which image, by the annotation `org.opencontainers.image.ref.name`, or by its digest; needed
        /// if there are several.
        reference: Option<String>,
    },
    /// `docker-archive:FILE[:NAME]`: what `docker save` writes, plain or compressed.
    DockerArchive {
        /// The file.
        file: PathBuf,
        /// Which image; needed if there are several.
        reference: Option<Name>,
    },
    /// A name in the [`Store`](crate::Store).
    Name(Name),
}

#[derive(Debug, thiserror::Error)]
#[error("{text:?} names no image: {reason}")]
struct NotASource {
    text: String,
    reason: &'static str,
}

impl From<NotASource> for Error {
    fn from(error: NotASource) -> Self {
        Self::new(ErrorKind::InvalidPolicy, error).with_hint(
            "write `oci:DIR[:REF]`, `docker-archive:FILE[:NAME]`, or a name in the store; what a registry \
             has is pulled into the store first",
        )
    }
}

impl Source {
    /// What is at a path, whatever bytes that has: a layout if it is a directory, else an archive of
    /// `docker save`. The reference says which of its images.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] for a reference into an archive that is no [`Name`].
    pub fn at(path: &Path, reference: Option<&str>) -> Result<Self, Error> {
        if path.is_dir() {
            let (directory, reference) = (path.to_owned(), reference.map(str::to_owned));
            return Ok(Self::Layout { directory, reference });
        }
        // What does not exist, loading tells.
        let reference = reference.map(str::parse).transpose()?;
        Ok(Self::DockerArchive { file: path.to_owned(), reference })
    }
}

impl FromStr for Source {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] for a text that is none of the three.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason| NotASource { text: shown(text), reason };
        let parts = |rest: &str| match rest.split_once(':') {
            Some((path, reference)) => (PathBuf::from(path), Some(reference.to_owned())),
            None => (PathBuf::from(rest), None),
        };
        let checked = |rest: &str| {
            let (path, reference) = parts(rest);
            if path.as_os_str().is_empty() || rest.contains('\0') {
                return Err(wrong("it has no path"));
            }
            if reference.as_deref() == Some("") {
                return Err(wrong("nothing follows its last colon"));
            }
            Ok((path, reference))
        };
        if let Some(rest) = text.strip_prefix(LAYOUT) {
            let (directory, reference) = checked(rest)?;
            Ok(Self::Layout { directory, reference })
        } else if let Some(rest) = text.strip_prefix(DOCKER_ARCHIVE) {
            let (file, reference) = checked(rest)?;
            let reference = reference.as_deref().map(str::parse).transpose()?;
            Ok(Self::DockerArchive { file, reference })
        } else if text.contains("://") {
            Err(wrong("it says how to reach what is named, and names alone are read").into())
        } else {
            Ok(Self::Name(text.parse()?))
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { directory, reference } => {
                write!(f, "{LAYOUT}{}", directory.display())?;
                reference.iter().try_for_each(|reference| write!(f, ":{reference}"))
            }
            Self::DockerArchive { file, reference } => {
                write!(f, "{DOCKER_ARCHIVE}{}", file.display())?;
                reference.iter().try_for_each(|reference| write!(f, ":{reference}"))
            }
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
