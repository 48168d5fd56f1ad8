//! What may be wrong with a registry, or between it and us.

use std::io::{self, Read};

use serde::Deserialize;
use stockade_core::{Error, ErrorKind};
use ureq::http::{Response, StatusCode};
use ureq::{Body, Timeout};

use super::Registry;
use crate::blobs::BlobError;
use crate::digest::{Digest, shown};

/// Most bytes that are read of why a registry refuses.
const LARGEST_REASON: u64 = 16 << 10;

/// Why a registry did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("a stall of no time at all")]
    NoPatience,
    #[error("{place} cannot be asked")]
    Request { place: String, source: ureq::Error },
    #[error("the registry {host} broke off in the middle of an answer")]
    Broken { host: String, source: io::Error },
    #[error("the registry {host} sent nothing for too long")]
    Stalled { host: String },
    #[error("{place} answers {status}{said}")]
    Status { place: String, status: StatusCode, said: String },
    #[error("{place} is sent on too often")]
    Redirects { place: String },
    #[error("the registry names {address:?}, which is no address that can be asked")]
    Address { address: String },
    #[error("{place} would be asked without encryption")]
    Plain { place: String },
    #[error("the service {place} gives no token that can be used")]
    Token { place: String },
    #[error(transparent)]
    TooLarge(BlobError),
    #[error("the registry sends a part of {digest} and does not say which")]
    Range { digest: Digest },
}

impl RegistryError {
    /// Whether it may be otherwise soon.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Stalled { .. } => true,
            Self::Request { source, .. } => match source {
                ureq::Error::Timeout(_) | ureq::Error::BodyStalled => true,
                ureq::Error::Io(error) => !matches!(
                    error.kind(),
                    // What is said of certificates, and where nobody listens.
                    io::ErrorKind::InvalidData | io::ErrorKind::ConnectionRefused
                ),
                _ => false,
            },
            Self::Status { status, .. } => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            _ => false,
        }
    }

    /// Whether it is about which part of a blob was wanted.
    pub(crate) fn is_of_range(&self) -> bool {
        matches!(
            self,
            Self::Range { .. } | Self::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }
        )
    }
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        let (kind, hint) = match error {
            RegistryError::TooLarge(error) => return error.into(),
            RegistryError::NoPatience => (ErrorKind::InvalidPolicy, "give it a second at least"),
            RegistryError::Request { .. } => (
                ErrorKind::Io,
                "is it the right registry, and can this machine reach it? One without encryption has \
                 to be allowed to",
            ),
            RegistryError::Broken { .. } | RegistryError::Stalled { .. } => {
                (ErrorKind::Io, "pull again: what came is kept, and not asked for twice")
            }
            RegistryError::Status { status, .. } => match status {
                StatusCode::NOT_FOUND => {
                    (ErrorKind::NotFound, "check the name, its tag, and who may see it")
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (
                    ErrorKind::PermissionDenied,
                    "check the name, which may not exist, and who you say you are; credential helpers \
                     are not asked",
                ),
                StatusCode::TOO_MANY_REQUESTS => {
                    (ErrorKind::Io, "wait, or say who you are: some have more requests then")
                }
                _ => (ErrorKind::Io, "pull again later"),
            },
            RegistryError::Redirects { .. }
            | RegistryError::Address { .. }
            | RegistryError::Token { .. }
            | RegistryError::Range { .. } => (ErrorKind::Io, "is it a registry?"),
            RegistryError::Plain { .. } => (
                ErrorKind::InvalidPolicy,
                "a registry may not send on to where everybody can listen",
            ),
        };
        Self::new(kind, error).with_hint(hint)
    }
}

/// What a reader of an answer says.
pub(super) fn read_error(host: &str, error: io::Error) -> RegistryError {
    let host = host.to_owned();
    match error.get_ref().and_then(|cause| cause.downcast_ref::<ureq::Error>()) {
        Some(ureq::Error::Timeout(Timeout::PerRead | Timeout::RecvBody)) => {
            RegistryError::Stalled { host }
        }
        _ => RegistryError::Broken { host, source: error },
    }
}

/// The errors of the distribution specification.
#[derive(Deserialize)]
struct Reasons {
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    #[serde(default)]
    message: String,
}

impl Registry<'_> {
    /// An answer that is a refusal.
    pub(super) fn refused(&self, url: &str, response: Response<Body>) -> RegistryError {
        let place = url.parse().map_or_else(|_| shown(url), |uri| super::place(&uri));
        let status = response.status();
        let mut bytes = Vec::new();
        // What cannot be read is not said.
        let _ = response.into_body().into_reader().take(LARGEST_REASON).read_to_end(&mut bytes);
        let reasons = serde_json::from_slice::<Reasons>(&bytes).map(|reasons| reasons.errors);
        let said = reasons.ok().and_then(|reasons| reasons.into_iter().next());
        // Quoted, since it is a stranger's, and goes to terminals.
        let said = said.map(|Reason { code, message }| {
            format!(": {:?}", shown(&format!("{code}: {message}")))
        });
        RegistryError::Status { place, status, said: said.unwrap_or_default() }
    }
}
