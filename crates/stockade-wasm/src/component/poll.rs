//! `wasi:io/poll`: waiting, which ends when the guest must.

use std::time::{Duration, Instant};

use wasmtime::component::{Linker, Resource};

use super::{Misuse, function, procedure, resource};
use crate::tether::Stop;
use crate::wasi::Guest;

/// Most pollables of one call.
const MOST: usize = 4096;
/// How long is waited for a descriptor of the caller's before it is asked again.
const SLICE: Duration = Duration::from_millis(4);

/// Something to wait for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pollable {
    Ready,
    /// A time; `None` is beyond what the clock can say.
    Due(Option<Instant>),
    Stdin,
}

impl Pollable {
    /// Whether it is ready now, and if standard input is as it is.
    fn is_ready(self, now: Instant, stdin: bool) -> bool {
        match self {
            Self::Ready => true,
            Self::Due(due) => due.is_some_and(|due| due <= now),
            Self::Stdin => stdin,
        }
    }
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    resource::<Pollable>(&mut poll, "pollable")?;
    function(&mut poll, "[method]pollable.ready", |guest, (this,): (Resource<Pollable>,)| {
        Ok(guest.table.get(&this)?.is_ready(Instant::now(), guest.stdin.is_ready()))
    })?;
    procedure(&mut poll, "[method]pollable.block", |guest, (this,): (Resource<Pollable>,)| {
        let this = *guest.table.get(&this)?;
        wait(guest, &[this])?;
        Ok(())
    })?;
    function(&mut poll, "poll", |guest, (list,): (Vec<Resource<Pollable>>,)| {
        if list.is_empty() {
            return Err(Misuse::error("an empty list of pollables"));
        }
        if list.len() > MOST {
            return Err(Misuse::error("more than 4096 pollables in one call"));
        }
        let all = list.iter().map(|pollable| Ok(*guest.table.get(pollable)?));
        let all = all.collect::<wasmtime::Result<Vec<_>>>()?;
        Ok(wait(guest, &all)?)
    })
}

/// Waits until one of them is ready, and says which are.
pub(super) fn wait(guest: &Guest, all: &[Pollable]) -> Result<Vec<u32>, Stop> {
    let dues = all.iter().filter_map(|pollable| match pollable {
        Pollable::Due(due) => *due,
        _ => None,
    });
    let soonest = dues.min();
    let reads = all.iter().any(|one| matches!(one, Pollable::Stdin));
    let asks = reads && guest.stdin.is_silent();
    let ready = || {
        let (now, stdin) = (Instant::now(), reads && guest.stdin.is_ready());
        let ready = all.iter().zip(0..).filter(|(one, _)| one.is_ready(now, stdin));
        let ready: Vec<u32> = ready.map(|(_, index)| index).collect();
        (!ready.is_empty()).then_some(ready)
    };
    loop {
        let slice = asks.then(|| Instant::now() + SLICE);
        let until = [soonest, slice].into_iter().flatten().min();
        if let Some(ready) = guest.tether.wait_for(until, ready)? {
            return Ok(ready);
        }
    }
}
