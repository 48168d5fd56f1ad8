//! [`Raw`]: bytes as a policy file writes them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Text, or a list of bytes where they are not UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of bytes")]
pub(super) enum Raw {
    Text(String),
    Bytes(Vec<u8>),
}

impl Raw {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn into_path(self) -> PathBuf {
        OsString::from_vec(self.into_bytes()).into()
    }
}

impl From<&[u8]> for Raw {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_owned()),
        }
    }
}

impl From<&Path> for Raw {
    fn from(path: &Path) -> Self {
        path.as_os_str().as_bytes().into()
    }
}
