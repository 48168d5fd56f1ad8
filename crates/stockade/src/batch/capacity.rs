//! [`Capacity`]: what the jobs of a batch share, and what one of them takes.

use std::path::Path;
use std::thread;

use stockade_core::{Bytes, Cpus, Error, ErrorKind, Limits, Result};

use super::host;

/// What the jobs of a batch share.
///
/// A job takes of it what its policy lets it use: `limits.cpus`, or one core where that is not
/// bounded; and `limits.memory`, or all of it where that is `unlimited`. A limit is not a
/// reservation, so a job that may use more than there is at all is not refused: it runs alone, as
/// it would without a batch.
///
/// What else runs on the host is counted once, when the capacity is measured. Threads, descriptors
/// and what the host process holds of a job's output are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// Cores.
    pub cpus: Cpus,
    /// Bytes of memory.
    pub memory: Bytes,
}

/// The part of a job in what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    milli: u32,
    memory: u64,
    /// It needs more than there is.
    alone: bool,
}

/// What is not taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    milli: u32,
    memory: u64,
}

/// One core, in thousandths.
const CORE: u32 = 1000;

/// This host could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot find out how much memory this host has to give")]
struct HostError {
    source: std::io::Error,
}

impl Capacity {
    /// So many cores, and so much memory.
    pub fn new(cpus: Cpus, memory: impl Into<Bytes>) -> Self {
        Self { cpus, memory: memory.into() }
    }

    /// What this host has to give now.
    ///
    /// The cores are those this process may use, by its affinity and the CPU quota of its control
    /// groups ([`std::thread::available_parallelism`]). The memory is three quarters of what is
    /// available: `MemAvailable` in proc_meminfo(5), or what the limits of this process's own
    /// control groups leave, if that is less. The last quarter is for everything else.
    ///
    /// # Errors
    /// `Io` when `/proc/meminfo` cannot be read.
    pub fn of_host() -> Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let milli = u32::try_from(cores).unwrap_or(u32::MAX).saturating_mul(CORE);
        let memory = host::available_memory(Path::new("/")).map_err(|source| {
            Error::new(ErrorKind::Io, HostError { source }).with_hint("give `Options::capacity`")
        })?;
        Ok(Self { cpus: Cpus::from_milli(milli), memory: Bytes(memory / 4 * 3) })
    }

    /// What a job with these limits takes.
    pub(super) fn share(self, limits: &Limits) -> Share {
        let milli = limits.cpus.map_or(CORE, Cpus::milli);
        let memory = limits.memory.get().map_or(u64::MAX, |bytes| bytes.0);
        let whole = self.room();
        Share {
            milli: milli.min(whole.milli),
            memory: memory.min(whole.memory),
            alone: milli > whole.milli || memory > whole.memory,
        }
    }

    /// All of it.
    pub(super) fn room(self) -> Room {
        Room { milli: self.cpus.milli(), memory: self.memory.0 }
    }
}

impl Room {
    /// Whether a job fits beside `running` others.
    pub(super) fn holds(self, share: Share, running: usize) -> bool {
        if share.alone {
            return running == 0;
        }
        share.milli <= self.milli && share.memory <= self.memory
    }

    pub(super) fn take(&mut self, share: Share) {
        self.milli -= share.milli;
        self.memory -= share.memory;
    }

    pub(super) fn give_back(&mut self, share: Share) {
        self.milli += share.milli;
        self.memory += share.memory;
    }
}
