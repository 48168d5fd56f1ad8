//! [`Account`]: an error as data.

use std::error::Error as StdError;
use std::io;

use serde::Serialize;
use stockade_core::{Error, Unmet};

/// An [`Error`] for a language that has no such type: everything it says, in one piece, and as JSON
/// by serde.
///
/// # Example
/// ```
/// use stockade::embed::Account;
/// use stockade::{Error, ErrorKind};
///
/// let denied = std::io::Error::from_raw_os_error(13);
/// let error = Error::new(ErrorKind::Io, denied).with_hint("open it first");
/// let account = Account::of(&error);
/// assert_eq!(account.kind, "io");
/// assert_eq!(account.message, "Permission denied (os error 13)");
/// assert_eq!(account.hint, Some("open it first"));
/// assert_eq!(account.errno, Some(13));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Account<'a> {
    /// The name of its kind: see [`ErrorKind::name`](crate::ErrorKind::name).
    pub kind: &'static str,
    /// What went wrong, followed by all causes, each after a colon.
    pub message: String,
    /// What to do about it: one sentence.
    pub hint: Option<&'a str>,
    /// The system's error number that is nearest to the root, if there is one.
    pub errno: Option<i32>,
    /// The controls that could not be met: see [`Error::unmet`].
    pub unmet: &'a [Unmet],
}

impl<'a> Account<'a> {
    /// What an error says.
    pub fn of(error: &'a Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self {
            kind: error.kind().name(),
            message,
            hint: error.hint(),
            errno: errno(error),
            unmet: error.unmet(),
        }
    }
}

fn errno(error: &Error) -> Option<i32> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error.get_ref());
    let mut number = None;
    while let Some(inner) = cause {
        let found = inner.downcast_ref::<io::Error>();
        number = found.and_then(io::Error::raw_os_error).or(number);
        cause = inner.source();
    }
    number
}
