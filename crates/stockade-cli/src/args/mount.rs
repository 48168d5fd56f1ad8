//! Options with a shape of their own: `SRC[:DST]`, `DST[:SIZE]`, `NAME=VALUE`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser};
use stockade::{Bytes, ValueError};

/// A path of the host, and where it appears inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindArg {
    pub(crate) source: PathBuf,
    /// As on the host, when not given.
    pub(crate) target: Option<String>,
}

/// An in-memory directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TmpfsArg {
    pub(crate) target: String,
    pub(crate) size: Option<Bytes>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvArg {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// An option that is not of its shape.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("there is no path before `:`")]
    NoSource,
    #[error("the path inside the sandbox is not UTF-8")]
    TargetNotUtf8,
    #[error("expected NAME=VALUE; the host's environment is never inherited")]
    NoValue,
    #[error(transparent)]
    Size(#[from] ValueError),
}

/// Parses `SRC[:DST]`. DST is absolute, so only a `:` before a `/` separates; a host path with
/// `:/` in it needs its DST written out.
pub(super) fn bind() -> impl TypedValueParser<Value = BindArg> {
    OsStringValueParser::new().try_map(BindArg::parse)
}

impl BindArg {
    pub(super) fn parse(text: OsString) -> Result<Self, ShapeError> {
        let bytes = text.as_bytes();
        let separator = bytes.windows(2).rposition(|pair| pair == b":/");
        let (source, target) = match separator {
            Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
            None => (bytes, None),
        };
        if source.is_empty() {
            return Err(ShapeError::NoSource);
        }
        let target = match target {
            Some(target) => Some(target.to_str().ok_or(ShapeError::TargetNotUtf8)?.to_owned()),
            None => None,
        };
        Ok(Self { source: OsString::from_vec(source.to_vec()).into(), target })
    }
}

impl FromStr for TmpfsArg {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        match text.rsplit_once(':') {
            Some((target, size)) => {
                Ok(Self { target: target.to_owned(), size: Some(size.parse()?) })
            }
            None => Ok(Self { target: text.to_owned(), size: None }),
        }
    }
}

impl FromStr for EnvArg {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let (name, value) = text.split_once('=').ok_or(ShapeError::NoValue)?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}
