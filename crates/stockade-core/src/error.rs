//! The one public error: a small stable kind, a typed source, and advice apart from the message.

use std::error::Error as StdError;
use std::fmt;

use crate::plan::{Unmet, UnmetControls};
use crate::policy::PolicyError;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure an [`Error`] is. Small and stable: match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A policy or program description is wrong; the message names the key and the value.
    InvalidPolicy,
    /// This host or backend cannot enforce what was asked; see [`Error::unmet`].
    Unsupported,
    /// A program, interpreter, bind source or root that was named does not exist.
    NotFound,
    /// The host denied access to something that was named.
    PermissionDenied,
    /// Building the sandbox failed; the source names step, object and errno.
    Setup,
    /// The helper process that holds the sandboxes is gone; the next run starts a new one.
    HostLost,
    /// Reading or writing the program's streams failed.
    Io,
    /// A defect in Stockade itself.
    Internal,
}

impl ErrorKind {
    /// The name used in JSON and by the bindings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidPolicy => "invalid_policy",
            Self::Unsupported => "unsupported",
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::Setup => "setup",
            Self::HostLost => "host_lost",
            Self::Io => "io",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a run did not happen or could not be completed.
///
/// The message says what went wrong, [`hint`](Self::hint) says what to do about it, and
/// [`source`](StdError::source) gives the cause. A program that ends badly is not an error: that
/// is a [`Verdict`](crate::Verdict).
pub struct Error {
    kind: ErrorKind,
    cause: Box<dyn StdError + Send + Sync>,
    hint: Option<String>,
}

impl Error {
    /// Wraps a typed cause; the error's message is the cause's message.
    pub fn new(kind: ErrorKind, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, cause: cause.into(), hint: None }
    }

    /// Adds advice. An earlier hint is replaced.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Advice to the user, if there is any: one sentence, apart from the message.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The controls that could not be met, when the kind is [`ErrorKind::Unsupported`].
    pub fn unmet(&self) -> &[Unmet] {
        self.cause.downcast_ref::<UnmetControls>().map_or(&[], |unmet| &unmet.controls)
    }

    /// The typed cause, for callers that know the backend.
    pub fn get_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("cause", &self.cause)
            .field("hint", &self.hint)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

impl From<PolicyError> for Error {
    fn from(error: PolicyError) -> Self {
        let hint = error.hint();
        let error = Self::new(ErrorKind::InvalidPolicy, error);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<UnmetControls> for Error {
    fn from(unmet: UnmetControls) -> Self {
        let hint = unmet.hint();
        Self::new(ErrorKind::Unsupported, unmet).with_hint(hint)
    }
}

#[cfg(test)]
mod tests;
