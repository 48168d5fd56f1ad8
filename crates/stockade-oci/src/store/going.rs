//! Whether the caller still wants what takes long: see [`Store::as_long_as`].

use std::io::{self, Read};
use std::time::{Duration, Instant};

use stockade_core::{Error, ErrorKind, Result};

use super::Store;

/// How long nobody is asked at most, where something moves.
pub(super) const TURN: Duration = Duration::from_millis(50);

/// The caller wanted no more.
#[derive(Debug, thiserror::Error)]
#[error("it was stopped by who asked for it")]
struct Stopped;

/// What a call ends with that was stopped.
pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Io, Stopped)
        .with_hint("nothing was left half made; it can be called again")
}

impl Store {
    /// Asks the caller.
    pub(super) fn go_on(&self) -> Result<()> {
        match &self.go_on {
            Some(go_on) if !go_on() => Err(stopped()),
            _ => Ok(()),
        }
    }
}

/// Asks the caller while something is read through it.
pub(super) struct Asking<'a, R> {
    inner: R,
    store: &'a Store,
    next: Instant,
    /// What the caller said, for whoever finds that reading failed.
    pub(super) stopped: bool,
}

impl<'a, R: Read> Asking<'a, R> {
    pub(super) fn new(inner: R, store: &'a Store) -> Self {
        Self { inner, store, next: Instant::now(), stopped: false }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Asking<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let now = Instant::now();
        if self.store.go_on.is_some() && now >= self.next {
            self.next = now + TURN;
            if self.store.go_on().is_err() {
                self.stopped = true;
                return Err(io::Error::other(Stopped));
            }
        }
        self.inner.read(buf)
    }
}
