//! `wasi:clocks`.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_getres, clock_gettime};
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::function;
use super::poll::Pollable;
use crate::wasi::Guest;

/// A point in time, since 1970.
#[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Datetime {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}

impl From<rustix::time::Timespec> for Datetime {
    fn from(time: rustix::time::Timespec) -> Self {
        Self { seconds: time.tv_sec.unsigned_abs(), nanoseconds: time.tv_nsec as u32 }
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.12")?;
    function(&mut wall, "now", |_, ()| Ok(Datetime::from(clock_gettime(ClockId::Realtime))))?;
    function(&mut wall, "resolution", |_, ()| Ok(Datetime::from(clock_getres(ClockId::Realtime))))?;

    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    function(&mut monotonic, "now", |_, ()| Ok(now()))?;
    function(&mut monotonic, "resolution", |_, ()| {
        Ok(clock_getres(ClockId::Monotonic).tv_nsec.unsigned_abs().max(1))
    })?;
    function(&mut monotonic, "subscribe-instant", |guest, (when,): (u64,)| {
        Ok(guest.table.push(due_in(when.saturating_sub(now())))?)
    })?;
    function(&mut monotonic, "subscribe-duration", |guest, (wait,): (u64,)| {
        Ok(guest.table.push(due_in(wait))?)
    })
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

fn due_in(nanoseconds: u64) -> Pollable {
    Pollable::Due(Instant::now().checked_add(Duration::from_nanos(nanoseconds)))
}
