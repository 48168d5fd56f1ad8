//! [`Failure`]: what a command could not do, in the words that engines look for.

use std::error::Error;
use std::fmt;

/// What every step gives.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// What went wrong, and what it was caused by. It is read by engines and by people, never by code here
/// that decides: it has no kinds.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with no cause but itself.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// A failure and its cause.
    pub(crate) fn because(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The message, and after a colon each what the cause says: engines show one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut next = self.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = match error.downcast_ref::<Self>() {
                // It has said its own causes.
                Some(_) => None,
                None => error.source(),
            };
        }
        Ok(())
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    /// `what` is only made when it is needed.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure::because(what(), error))
    }
}
