//! [`Limiter`]: bytes in all memories and tables together.

use stockade_core::Control;
use wasmtime::ResourceLimiter;

use crate::engine::{MOST_INSTANCES, MOST_MEMORIES, MOST_TABLES};
use crate::tether::Stop;

/// What one element of a table is counted as.
const ELEMENT: usize = size_of::<usize>();

/// Counts what a guest holds and stops it at the limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Option<u64>,
    held: u64,
    /// The most that was held.
    pub(crate) peak: u64,
}

impl Limiter {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit, held: 0, peak: 0 }
    }

    fn grow(&mut self, size: Growth, unit: usize) -> wasmtime::Result<bool> {
        // More than the module itself allows is its own affair: it is told no.
        if size.maximum.is_some_and(|maximum| size.desired > maximum) {
            return Ok(false);
        }
        let more = size.desired.saturating_sub(size.current) as u64;
        let wanted = self.held.saturating_add(more.saturating_mul(unit as u64));
        match self.limit {
            // Not a refusal the guest could miss: the run ends, as it does for native programs.
            Some(limit) if wanted > limit => {
                Err(Stop::Limit { control: Control::Memory, limit, observed: wanted }.into())
            }
            _ => {
                self.held = wanted;
                self.peak = self.peak.max(wanted);
                Ok(true)
            }
        }
    }
}

/// How a memory or table is to grow, in its own unit.
struct Growth {
    current: usize,
    desired: usize,
    maximum: Option<usize>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(Growth { current, desired, maximum }, 1)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(Growth { current, desired, maximum }, ELEMENT)
    }

    // Each takes address space of the host's, however little it holds.
    fn instances(&self) -> usize {
        MOST_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES as usize
    }

    fn tables(&self) -> usize {
        MOST_TABLES as usize
    }
}

#[cfg(test)]
mod tests;
