//! [`Limiter`]: bytes in all memories and tables together.

use stockade_core::Control;
use wasmtime::ResourceLimiter;

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

    fn grow(&mut self, current: usize, desired: usize, unit: usize) -> wasmtime::Result<bool> {
        let more = (desired.saturating_sub(current) as u64).saturating_mul(unit as u64);
        let wanted = self.held.saturating_add(more);
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

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // More than the module itself allows is its own affair: it is told no.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(current, desired, 1)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(current, desired, ELEMENT)
    }
}
