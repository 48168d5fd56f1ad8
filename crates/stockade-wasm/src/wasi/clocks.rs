//! Clocks, random numbers, and the end of the guest by its own will.

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_getres, clock_gettime};
use wasmtime::{Caller, Linker};

use super::memory::{parts, put_u64, slice};
use super::{Answer, Errno, Guest, PREVIEW1, code};
use crate::tether::Stop;

/// Random bytes are made in pieces of this size, between which the guest can be stopped.
const PIECE: usize = 64 << 10;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.func_wrap(
        PREVIEW1,
        "clock_time_get",
        |mut c: Caller<'_, Guest>, clock: u32, _precision: u64, at: u32| {
            code(now(&c, clock).and_then(|now| put_u64(parts(&mut c)?.0, at, now)))
        },
    )?;
    linker.func_wrap(
        PREVIEW1,
        "clock_res_get",
        |mut c: Caller<'_, Guest>, clock: u32, at: u32| code(resolution(&mut c, clock, at)),
    )?;
    linker.func_wrap(PREVIEW1, "random_get", random)?;
    linker.func_wrap(PREVIEW1, "sched_yield", |_: Caller<'_, Guest>| Errno::SUCCESS)?;
    linker.func_wrap(PREVIEW1, "proc_exit", |_: Caller<'_, Guest>, status: i32| {
        wasmtime::Result::<()>::Err(Stop::Exit(status).into())
    })?;
    Ok(())
}

/// Nanoseconds of one of the four clocks; those of the process show the guest's own time.
pub(super) fn now(caller: &Caller<'_, Guest>, clock: u32) -> Result<u64, Errno> {
    let read = |id| {
        let time = clock_gettime(id);
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    };
    match clock {
        0 => Ok(read(ClockId::Realtime)),
        1 => Ok(read(ClockId::Monotonic)),
        2 | 3 => {
            let (_, cpu) = caller.data().tether.used();
            Ok(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX))
        }
        _ => Err(Errno::INVAL),
    }
}

fn resolution(caller: &mut Caller<'_, Guest>, clock: u32, at: u32) -> Answer {
    let id = match clock {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        2 | 3 => ClockId::ThreadCPUTime,
        _ => return Err(Errno::INVAL),
    };
    let time = clock_getres(id);
    put_u64(parts(caller)?.0, at, time.tv_nsec.unsigned_abs().max(1))
}

fn random(mut caller: Caller<'_, Guest>, at: u32, len: u32) -> wasmtime::Result<i32> {
    let (mut at, mut left) = (at, len);
    while left > 0 {
        caller.data().tether.look()?;
        let piece = left.min(PIECE as u32);
        let filled = parts(&mut caller).and_then(|(memory, _)| {
            let room = slice(memory, at, piece)?;
            let mut done = 0;
            while done < room.len() {
                done +=
                    getrandom(&mut room[done..], GetRandomFlags::empty()).map_err(|_| Errno::IO)?;
            }
            Ok(())
        });
        if filled.is_err() {
            return Ok(code(filled));
        }
        at = at.wrapping_add(piece);
        left -= piece;
    }
    Ok(Errno::SUCCESS)
}
