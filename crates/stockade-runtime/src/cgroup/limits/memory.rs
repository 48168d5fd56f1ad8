//! Limits of memory and swap.

use oci_spec::runtime::LinuxMemory;

use super::{Seat, Seats};
use crate::failure::{Failure, Outcome};

/// Zero stands for "not asked" with engines, and -1 for "no limit".
#[derive(Clone, Copy)]
struct Amounts {
    limit: i64,
    /// Together with memory.
    swap: i64,
    reservation: i64,
}

pub(super) fn set(seats: &Seats, memory: Option<&LinuxMemory>) -> Outcome<()> {
    let Some(memory) = memory else { return Ok(()) };
    let amounts = Amounts {
        limit: memory.limit().unwrap_or(0),
        swap: memory.swap().unwrap_or(0),
        reservation: memory.reservation().unwrap_or(0),
    };
    let seat = seats.seat("memory");
    if memory.check_before_update() == Some(true) {
        check(seat, amounts)?;
    }
    if seat.is_v2() { set_v2(seat, memory, amounts) } else { set_v1(seat, memory, amounts) }
}

/// The kernel would kill what is above a new limit on version 2; this asks that nothing is.
fn check(seat: Seat<'_>, amounts: Amounts) -> Outcome<()> {
    let file = if seat.is_v2() { "memory.current" } else { "memory.usage_in_bytes" };
    let Some(usage) = seat.number(file) else { return Ok(()) };
    for (name, limit) in [("memory+swap", amounts.swap), ("memory", amounts.limit)] {
        if limit > 0 && limit.unsigned_abs() <= usage {
            let what = format!("rejecting {name} limit {limit} <= usage {usage}");
            return Err(Failure::new(what));
        }
    }
    Ok(())
}

const LIMIT: &str = "memory.limit_in_bytes";
const TOTAL: &str = "memory.memsw.limit_in_bytes";

fn set_v1(seat: Seat<'_>, memory: &LinuxMemory, amounts: Amounts) -> Outcome<()> {
    let Amounts { limit, mut swap, reservation } = amounts;
    // Memory without limit is not to be bounded by an older limit on both together.
    if limit == -1 && swap == 0 && seat.has(TOTAL) {
        swap = -1;
    }
    // The kernel wants memory to be at most both together, after each write.
    let rises = || swap == -1 || seat.number(LIMIT).unwrap_or(0) < swap.unsigned_abs();
    if limit != 0 && swap != 0 && rises() {
        set_total(seat, swap)?;
        set_limit(seat, limit)?;
    } else {
        set_limit(seat, limit)?;
        set_total(seat, swap)?;
    }
    if reservation != 0 {
        seat.write("memory.soft_limit_in_bytes", &reservation.to_string())?;
    }
    for (file, limit) in [
        ("memory.kmem.limit_in_bytes", memory.kernel()),
        ("memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp()),
    ] {
        if let Some(limit) = limit.filter(|&limit| limit > 0) {
            seat.write(file, &limit.to_string())?;
        }
    }
    if memory.disable_oom_killer() == Some(true) {
        seat.write("memory.oom_control", "1")?;
    }
    // -1 is read as an unsigned number.
    match memory.swappiness().filter(|&value| value != u64::MAX) {
        None => Ok(()),
        Some(value @ 0..=100) => Ok(seat.write("memory.swappiness", &value.to_string())?),
        Some(value) => Err(Failure::new(format!(
            "invalid memory swappiness value: {value} (valid range is 0-100)"
        ))),
    }
}

fn set_limit(seat: Seat<'_>, limit: i64) -> Outcome<()> {
    if limit == 0 {
        return Ok(());
    }
    match seat.write(LIMIT, &limit.to_string()) {
        // Less than what is in use, and nothing more could be reclaimed.
        Err(refusal) if refusal.is(libc::EBUSY) => {
            let usage = seat.number("memory.usage_in_bytes").unwrap_or(0);
            let peak = seat.number("memory.max_usage_in_bytes").unwrap_or(0);
            Err(Failure::because(
                format!(
                    "unable to set memory limit to {limit} (current usage: {usage}, peak usage: \
                     {peak})"
                ),
                Failure::from(refusal),
            ))
        }
        done => Ok(done?),
    }
}

fn set_total(seat: Seat<'_>, swap: i64) -> Outcome<()> {
    match swap {
        0 => Ok(()),
        // Nothing bounds swap where the kernel does not count it.
        -1 if seat.dir().is_some() && !seat.has(TOTAL) => Ok(()),
        _ => Ok(seat.write(TOTAL, &swap.to_string())?),
    }
}

fn set_v2(seat: Seat<'_>, memory: &LinuxMemory, amounts: Amounts) -> Outcome<()> {
    for (name, asked) in [
        ("kernel", memory.kernel().is_some_and(|limit| limit > 0)),
        ("kernelTCP", memory.kernel_tcp().is_some_and(|limit| limit > 0)),
        ("swappiness", memory.swappiness().is_some_and(|value| value != u64::MAX)),
        ("disableOOMKiller", memory.disable_oom_killer() == Some(true)),
    ] {
        if asked {
            let what = "control groups of version 2 have no such control";
            return Err(Failure::new(format!("linux.resources.memory.{name}: {what}")));
        }
    }
    let swap = swap_alone(amounts.swap, amounts.limit)?;
    let value = |amount: i64| if amount < 0 { "max".to_owned() } else { amount.to_string() };
    // Both the same: no swap at all.
    if swap != 0 || amounts.swap > 0 {
        match seat.write("memory.swap.max", &value(swap)) {
            // The kernel counts no swap, or there is none: nothing to bound or to forbid.
            Err(refusal) if refusal.is_missing() && swap <= 0 && seat.has("memory.max") => {}
            done => done?,
        }
    }
    if amounts.limit != 0 {
        seat.write("memory.max", &value(amounts.limit))?;
    }
    if amounts.reservation != 0 {
        seat.write("memory.low", &value(amounts.reservation))?;
    }
    Ok(())
}

/// The limit of swap alone, for version 2, from that of both together, for version 1. Zero stands for
/// "not asked" if none was, and -1 for "no limit".
///
/// # Errors
/// If the two contradict each other.
pub(in crate::cgroup) fn swap_alone(total: i64, memory: i64) -> Outcome<i64> {
    match (total, memory) {
        (0, -1) => Ok(-1),
        (-1 | 0, _) => Ok(total),
        (_, -1) => Ok(total),
        (_, 0) => Err(Failure::new("unable to set swap limit without memory limit")),
        (_, ..0) => Err(Failure::new(format!("invalid memory value: {memory}"))),
        _ if total < memory => Err(Failure::new("memory+swap limit should be >= memory limit")),
        _ => Ok(total - memory),
    }
}
