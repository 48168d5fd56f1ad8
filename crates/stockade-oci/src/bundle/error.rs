//! [`BundleError`]: what is wrong with a bundle, and [`RefusedFields`]: what it asks for that is not
//! done.

use std::fmt;
use std::io;
use std::path::PathBuf;

use stockade_core::{Error, ErrorKind};

use super::table::Shape;

/// The largest `config.json` that is read, in bytes.
pub const MAX_CONFIG: usize = 4 << 20;

/// Refusals shown in a message; the rest is counted.
const SHOWN: usize = 24;

/// One thing that a bundle asks for and that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Where it stands in `config.json`.
    pub path: String,
    /// What is refused, and why.
    pub reason: String,
}

/// Everything that a bundle asks for and that is not done. It is the cause of an error of the kind
/// [`Unsupported`](ErrorKind::Unsupported), to be had from [`Error::get_ref`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedFields {
    /// At least one.
    pub fields: Vec<Refusal>,
}

impl fmt::Display for RefusedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bundle asks for what Stockade does not do")?;
        for (index, field) in self.fields.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}`{}`: {}", field.path, field.reason)?;
        }
        match self.fields.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for RefusedFields {}

impl From<RefusedFields> for Error {
    fn from(refused: RefusedFields) -> Self {
        Self::new(ErrorKind::Unsupported, refused)
            .with_hint("take these out of config.json; nothing was started")
    }
}

/// What is wrong with a bundle. Paths in backquotes are those of `config.json`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("{path:?} cannot be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path:?} is not a regular file")]
    NotFile { path: PathBuf },
    #[error("config.json is longer than {max} bytes", max = MAX_CONFIG)]
    TooLarge,
    #[error("config.json is not valid JSON")]
    Json { source: serde_json::Error },
    #[error("`ociVersion` is {found:?}; versions 1.0.0 to 1.2.x are read")]
    Version { found: String },
    #[error("`{path}` is missing")]
    Missing { path: String },
    #[error("`{path}` is {found}; expected {expected}")]
    WrongType { path: String, found: &'static str, expected: Shape },
    #[error("`{path}` is no member of a config, and differs from `{known}` by its case alone")]
    Spelling { path: String, known: &'static str },
    #[error("`{path}` is {value:?}; expected {expected}")]
    Value { path: String, value: String, expected: &'static str },
    #[error("`{path}`, {target:?}, does not exist")]
    NotThere { path: &'static str, target: PathBuf },
    #[error("`{path}`, {target:?}, is not {wanted}")]
    Kind { path: &'static str, target: PathBuf, wanted: &'static str },
    #[error("`{path}`, {asked:?}, leads out of {within}")]
    Outside { path: String, asked: String, within: &'static str },
}

impl BundleError {
    /// A value that makes no sense; long ones are shortened.
    pub(super) fn value(path: impl Into<String>, value: &str, expected: &'static str) -> Self {
        let mut value: String = value.chars().take(81).collect();
        if value.chars().count() > 80 {
            value.pop();
            value.push('…');
        }
        Self::Value { path: path.into(), value, expected }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Io,
            },
            Self::NotThere { .. } => ErrorKind::NotFound,
            Self::Version { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::InvalidPolicy,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "a bundle is a directory that holds config.json and a root",
            Self::NotFile { .. } => {
                "config.json is looked for in the bundle itself, and links are not followed"
            }
            Self::Version { .. } => "write it for version 1.2.1 of the runtime specification",
            Self::NotThere { .. } => "unpack an image there first",
            Self::Outside { .. } => "name the directory by an absolute path if it is really meant",
            _ => "correct config.json; nothing was started",
        }
    }
}

impl From<BundleError> for Error {
    fn from(error: BundleError) -> Self {
        let (kind, hint) = (error.kind(), error.hint());
        Self::new(kind, error).with_hint(hint)
    }
}
