//! [`HostCall`]: a guest's call of a host function, seen from the function.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Caller;

use crate::tether::Tether;
use crate::wasi::{Guest, memory};

/// A guest's call of a host function: whether the run has to stop, and the guest's memory.
pub struct HostCall<'a> {
    caller: Caller<'a, Guest>,
}

impl fmt::Debug for HostCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCall").finish_non_exhaustive()
    }
}

/// A range that is not in the guest's memory, or a guest without a memory called `memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes at {at} are not in the module's memory")]
pub struct OutOfBounds {
    /// Address in the guest's memory.
    pub at: u32,
    /// Length in bytes.
    pub len: u64,
}

impl<'a> HostCall<'a> {
    pub(crate) fn new(caller: Caller<'a, Guest>) -> Self {
        Self { caller }
    }

    /// What tells whether the run has to stop; can be kept and given to other threads.
    pub fn token(&self) -> CancelToken {
        CancelToken { tether: Arc::clone(&self.caller.data().tether) }
    }

    /// Copies `len` bytes at address `at` of the guest's memory.
    ///
    /// # Errors
    /// [`OutOfBounds`], before anything is allocated.
    pub fn read(&mut self, at: u32, len: u32) -> Result<Vec<u8>, OutOfBounds> {
        let out = OutOfBounds { at, len: len.into() };
        let start = at as usize;
        let end = start.checked_add(len as usize).ok_or(out)?;
        self.memory(out)?.get(start..end).map(<[u8]>::to_vec).ok_or(out)
    }

    /// Copies `bytes` to address `at` of the guest's memory.
    ///
    /// # Errors
    /// [`OutOfBounds`], and then nothing is written.
    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let out = OutOfBounds { at, len: bytes.len() as u64 };
        let start = at as usize;
        let end = start.checked_add(bytes.len()).ok_or(out)?;
        self.memory(out)?.get_mut(start..end).ok_or(out)?.copy_from_slice(bytes);
        Ok(())
    }

    fn memory(&mut self, out: OutOfBounds) -> Result<&mut [u8], OutOfBounds> {
        let memory = memory(&mut self.caller).ok_or(out)?;
        Ok(memory.data_mut(&mut self.caller))
    }
}

/// Tells whether a run has to stop: it was cancelled, or its wall time is over.
#[derive(Debug, Clone)]
pub struct CancelToken {
    tether: Arc<Tether>,
}

impl CancelToken {
    /// Whether the run has to stop now.
    pub fn is_cancelled(&self) -> bool {
        self.tether.check_outside().is_err()
    }

    /// Wall time that is left; `None` without a limit.
    pub fn remaining(&self) -> Option<Duration> {
        self.tether.wall_end().map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Waits for `time`, or until the run has to stop. Says whether the time went by.
    pub fn sleep(&self, time: Duration) -> bool {
        self.tether.sleep_outside(Instant::now().checked_add(time))
    }
}
