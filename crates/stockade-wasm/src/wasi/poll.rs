//! `poll_oneoff`: sleeping, and waiting for a stream, both of which end when the guest must.

use std::time::{Duration, Instant};

use wasmtime::{Caller, Linker};

use super::clocks::now;
use super::memory::{parts, put, put_u32, slice, u32_at, u64_at};
use super::{Errno, Guest, PREVIEW1, code};

/// Most subscriptions of one call.
const MAX_SUBSCRIPTIONS: u32 = 4096;
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
const CLOCK: u8 = 0;
const ABSOLUTE: u32 = 1;

/// A subscription: what the guest calls it, and what it is to.
struct Subscription {
    userdata: u64,
    kind: u8,
    /// When it is due, for a clock.
    due: Option<Duration>,
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(PREVIEW1, "poll_oneoff", poll)?;
    Ok(())
}

fn poll(
    mut caller: Caller<'_, Guest>,
    list: u32,
    events: u32,
    count: u32,
    result: u32,
) -> wasmtime::Result<i32> {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Ok(code(Err(Errno::INVAL)));
    }
    let begun = Instant::now();
    let mut all = Vec::with_capacity(count as usize);
    for index in 0..count {
        match subscription(&mut caller, list, index) {
            Ok(subscription) => all.push(subscription),
            Err(errno) => return Ok(code(Err(errno))),
        }
    }
    // A stream is taken to be ready: reading and writing wait themselves, and can be stopped.
    let waits = all.iter().all(|subscription| subscription.kind == CLOCK);
    let soonest = all.iter().filter_map(|subscription| subscription.due).min();
    if waits && let Some(soonest) = soonest {
        // Beyond what the clock can say is for ever.
        let until = begun.checked_add(soonest);
        let tether = std::sync::Arc::clone(&caller.data().tether);
        tether.wait_for(until, || None::<()>)?;
    }
    let elapsed = begun.elapsed();
    let mut told = 0;
    for subscription in all {
        let due = subscription.due.is_none_or(|due| due <= elapsed);
        if !due {
            continue;
        }
        let mut event = [0u8; EVENT as usize];
        event[..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        event[10] = subscription.kind;
        if subscription.kind != CLOCK {
            event[16] = 1;
        }
        let place = told * EVENT;
        let written = parts(&mut caller).and_then(|(memory, _)| {
            put(memory, events.checked_add(place).ok_or(Errno::FAULT)?, &event)
        });
        if written.is_err() {
            return Ok(code(written));
        }
        told += 1;
    }
    Ok(code(parts(&mut caller).and_then(|(memory, _)| put_u32(memory, result, told))))
}

fn subscription(
    caller: &mut Caller<'_, Guest>,
    list: u32,
    index: u32,
) -> Result<Subscription, Errno> {
    let (memory, _) = parts(caller)?;
    let at = list.checked_add(index * SUBSCRIPTION).ok_or(Errno::FAULT)?;
    let end = at.checked_add(SUBSCRIPTION).ok_or(Errno::FAULT)?;
    slice(memory, at, end - at)?;
    let (userdata, kind) = (u64_at(memory, at)?, slice(memory, at + 8, 1)?[0]);
    if kind > 2 {
        return Err(Errno::INVAL);
    }
    if kind != CLOCK {
        return Ok(Subscription { userdata, kind, due: None });
    }
    let (clock, timeout) = (u32_at(memory, at + 16)?, u64_at(memory, at + 24)?);
    let absolute = u32_at(memory, at + 40)? & ABSOLUTE != 0;
    let time = now(caller, clock)?;
    let wait = if absolute { timeout.saturating_sub(time) } else { timeout };
    Ok(Subscription { userdata, kind, due: Some(Duration::from_nanos(wait)) })
}
