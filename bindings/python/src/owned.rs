//! [`Owned`]: what belongs to the process that made it.

use pyo3::PyResult;
use stockade::embed;

use crate::errors;

/// A value that a forked child is refused, in Python's words.
pub(crate) struct Owned<T>(embed::Owned<T>);

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(embed::Owned::new(value))
    }

    /// The value, in the process that made it.
    pub(crate) fn get(&self) -> PyResult<&T> {
        self.0.get().map_err(errors::forked)
    }
}
