//! The bounds on quantities, and their closed defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PolicyError;
use super::units::{Bytes, Cpus, Limit};

/// Bounds on quantities. Each has a closed default; `"unlimited"` must be written out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes the whole workload may hold, page cache and in-memory files included. Never swap.
    /// At least 1 MiB. Default 256 MiB.
    pub memory: Limit<Bytes>,
    /// CPU time, user and system, summed over all tasks. Default 10 s.
    pub cpu_time: Limit<Duration>,
    /// Time from start to end, sleeping included. Default 30 s.
    pub wall_time: Limit<Duration>,
    /// CPU-seconds per second; not bounded unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// Tasks alive at once; threads count. Default 64.
    pub processes: Limit<u64>,
    /// Open file descriptors per process; at least 8. Default 256.
    pub open_files: Limit<u64>,
    /// Bytes in any one file the workload writes. Default 64 MiB.
    pub file_size: Limit<Bytes>,
    /// Bytes in all writable in-memory filesystems together, at least 64 KiB; one inode is
    /// granted per 4 KiB. Default 64 MiB.
    pub disk: Limit<Bytes>,
    /// Bytes captured or streamed per output stream. Default 1 MiB.
    pub output: Limit<Bytes>,
    /// What happens at the `output` limit.
    pub output_overflow: OutputOverflow,
    /// Deterministic instruction budget; WebAssembly only; not bounded unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

/// What happens when a stream reaches the `output` limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputOverflow {
    /// The run ends with the verdict `limit/output`.
    #[default]
    Stop,
    /// The rest is dropped and the report flags it.
    Truncate,
}

const MIB: u64 = 1 << 20;

/// The smallest `memory` limit: below it not even a static program starts.
pub(crate) const MIN_MEMORY: u64 = MIB;
/// The smallest `disk` limit.
pub(crate) const MIN_DISK: u64 = 64 << 10;
/// The smallest time limit.
const MIN_TIME: Duration = Duration::from_millis(1);
/// The smallest `open_files` limit: three streams and what a dynamic loader opens.
const MIN_OPEN_FILES: u64 = 8;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: Bytes(256 * MIB).into(),
            cpu_time: Duration::from_secs(10).into(),
            wall_time: Duration::from_secs(30).into(),
            cpus: None,
            processes: Limit::At(64),
            open_files: Limit::At(256),
            file_size: Bytes(64 * MIB).into(),
            disk: Bytes(64 * MIB).into(),
            output: Bytes(MIB).into(),
            output_overflow: OutputOverflow::Stop,
            fuel: None,
        }
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), PolicyError> {
        at_least("limits.memory", self.memory, Bytes(MIN_MEMORY), "at least 1MiB")?;
        at_least("limits.cpu_time", self.cpu_time, MIN_TIME, "at least 1ms")?;
        at_least("limits.wall_time", self.wall_time, MIN_TIME, "at least 1ms")?;
        representable("limits.cpu_time", self.cpu_time)?;
        representable("limits.wall_time", self.wall_time)?;
        at_least("limits.processes", self.processes, 1, "at least 1")?;
        at_least("limits.open_files", self.open_files, MIN_OPEN_FILES, "at least 8")?;
        at_least("limits.file_size", self.file_size, Bytes(1), "at least 1 byte")?;
        at_least("limits.disk", self.disk, Bytes(MIN_DISK), "at least 64KiB")?;
        if let Some(cpus) = self.cpus
            && !(10..=4_096_000).contains(&cpus.milli())
        {
            return Err(PolicyError::value(
                "limits.cpus",
                cpus.to_string(),
                "between 0.01 and 4096 cores",
            ));
        }
        if self.fuel == Some(0) {
            return Err(PolicyError::value("limits.fuel", "0", "at least 1"));
        }
        Ok(())
    }
}

/// A time limit set from Rust may be longer than the text form allows.
fn representable(key: &str, limit: Limit<Duration>) -> Result<(), PolicyError> {
    match limit {
        Limit::At(time) if super::units::bounded(time).is_none() => {
            Err(PolicyError::value(key, limit.to_string(), "at most 292 years, or `unlimited`"))
        }
        _ => Ok(()),
    }
}

fn at_least<T>(key: &str, limit: Limit<T>, least: T, expected: &str) -> Result<(), PolicyError>
where
    T: super::units::Quantity + PartialOrd,
{
    match limit {
        Limit::At(value) if value < least => {
            Err(PolicyError::value(key, limit.to_string(), expected))
        }
        _ => Ok(()),
    }
}
