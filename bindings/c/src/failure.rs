//! [`Failure`]: why a call from C did not do what it was asked.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::sync::Arc;

use serde_json::json;
use stockade::embed::{Account, Forked};
use stockade::{ErrorKind, PolicyError, Verdict};

use crate::words;

/// Why a call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Library(#[from] Arc<stockade::Error>),
    /// An argument that makes no sense to C's side of the border.
    #[error("`{name}` {wrong}")]
    Argument { name: Cow<'static, str>, wrong: String },
    /// Something was used in an order that makes no sense.
    #[error("{0}")]
    Order(&'static str),
    /// An instance that has ended, and how.
    #[error("the instance has ended: {0}")]
    Ended(String),
    /// The library has a defect.
    #[error("a defect in Stockade: {0}")]
    Defect(String),
}

impl Failure {
    pub(crate) fn argument(name: impl Into<Cow<'static, str>>, wrong: impl Into<String>) -> Self {
        Self::Argument { name: name.into(), wrong: wrong.into() }
    }

    pub(crate) fn null(name: &'static str) -> Self {
        Self::argument(name, "must not be NULL")
    }

    pub(crate) fn defect(what: impl std::fmt::Display) -> Self {
        Self::Defect(what.to_string())
    }

    /// An instance that ended so.
    pub(crate) fn ended(verdict: &Verdict) -> Self {
        Self::Ended(match verdict {
            Verdict::Exited { code } => format!("it exited with status {code}"),
            Verdict::Limit { control, .. } => format!("it reached its limit of {control}"),
            Verdict::Denied { detail, .. } => format!("it was stopped: {detail}"),
            Verdict::Trapped { trap, .. } => trap.clone(),
            Verdict::Cancelled => "it was killed".to_owned(),
            other => format!("{other:?}"),
        })
    }
}

impl From<stockade::Error> for Failure {
    fn from(error: stockade::Error) -> Self {
        Self::Library(Arc::new(error))
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        stockade::Error::from(error).into()
    }
}

impl From<Forked> for Failure {
    fn from(forked: Forked) -> Self {
        stockade::Error::from(forked).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        stockade::Error::new(ErrorKind::Io, error).into()
    }
}

/// A failure as C sees it: everything it may be asked for is ready.
pub(crate) struct Told {
    pub(crate) kind: i32,
    message: CString,
    hint: Option<CString>,
    json: String,
}

impl Told {
    pub(crate) fn message(&self) -> &CStr {
        &self.message
    }

    pub(crate) fn hint(&self) -> Option<&CStr> {
        self.hint.as_deref()
    }

    /// Everything known of it.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        let kind = words::kind(&failure);
        let (message, hint, json) = match &failure {
            Failure::Library(error) => {
                let account = Account::of(error);
                let json = serde_json::to_string(&account).unwrap_or_default();
                (account.message, error.hint().map(text), json)
            }
            other => {
                let message = other.to_string();
                let json = json!({
                    "kind": words::name(kind),
                    "message": message,
                    "hint": null,
                    "errno": null,
                    "unmet": [],
                });
                (message, None, json.to_string())
            }
        };
        Self { kind, message: text(&message), hint, json }
    }
}

/// Text for C, which knows no NUL within.
pub(crate) fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
