//! [`Owned`]: what belongs to the process that made it.

use stockade_core::{Error, ErrorKind};

/// A value that a forked child has a copy of and must not use: its threads and its ends of sockets
/// are the parent's. The child is refused it, and dropping it there does nothing.
///
/// # Example
/// ```
/// use stockade::embed::Owned;
///
/// let handle = Owned::new(5);
/// assert_eq!(*handle.get()?, 5); // and an error in a child of this process
/// # Ok::<(), stockade::Error>(())
/// ```
#[derive(Debug)]
pub struct Owned<T> {
    value: Option<T>,
    process: u32,
}

impl<T> Owned<T> {
    /// Makes this process the owner.
    pub fn new(value: T) -> Self {
        Self::of(value, std::process::id())
    }

    /// Makes a process the owner.
    pub(super) fn of(value: T, process: u32) -> Self {
        Self { value: Some(value), process }
    }

    /// The value, in the process that made it.
    ///
    /// # Errors
    /// [`Forked`] in any other.
    pub fn get(&self) -> Result<&T, Forked> {
        match &self.value {
            Some(value) if self.process == std::process::id() => Ok(value),
            _ => Err(Forked),
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.value.take());
        }
    }
}

/// A value was used in a child of the process that made it: see [`Owned`].
///
/// As an [`Error`] it is [`ErrorKind::HostLost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it belongs to the process that made it, and this is a child of that")]
pub struct Forked;

impl From<Forked> for Error {
    fn from(forked: Forked) -> Self {
        Self::new(ErrorKind::HostLost, forked).with_hint("make a new one after fork()")
    }
}
