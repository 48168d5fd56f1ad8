//! Shares, bandwidth and sets of processors.

use oci_spec::runtime::LinuxCpu;

use super::{Refusal, Seat, Seats};
use crate::failure::{Failure, Outcome};

pub(super) fn set(seats: &Seats, cpu: Option<&LinuxCpu>) -> Outcome<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    let seat = seats.seat("cpu");
    if seat.is_v2() { set_v2(seat, cpu) } else { set_v1(seat, cpu) }?;
    let seat = seats.seat("cpuset");
    for (file, list) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
        if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
            seat.write(file, list)?;
        }
    }
    Ok(())
}

/// A value that the kernel may refuse until another is set: tries it, writes the other, tries again.
fn set_around(
    seat: Seat<'_>,
    values: &[(&str, Option<String>)],
    decisive: (&str, Option<String>),
) -> Result<(), Refusal> {
    let mut again = Vec::new();
    for (file, value) in values {
        let Some(value) = value else { continue };
        match seat.write(file, value) {
            Err(refusal) if refusal.is(libc::EINVAL) && decisive.1.is_some() => {
                again.push((file, value));
            }
            done => done?,
        }
    }
    if let (file, Some(value)) = decisive {
        seat.write(file, &value)?;
    }
    again.into_iter().try_for_each(|(file, value)| seat.write(file, value))
}

/// Zero stands for "not asked" with engines.
fn asked<T: Default + PartialEq + ToString>(value: Option<T>) -> Option<String> {
    value.filter(|value| *value != T::default()).map(|value| value.to_string())
}

fn set_v1(seat: Seat<'_>, cpu: &LinuxCpu) -> Outcome<()> {
    if let Some(shares) = cpu.shares().filter(|&shares| shares != 0) {
        seat.write("cpu.shares", &shares.to_string())?;
        // The kernel brings it into its range and says nothing.
        match seat.number("cpu.shares") {
            Some(kept) if kept < shares => {
                return Err(Failure::new(format!("the maximum allowed cpu-shares is {kept}")));
            }
            Some(kept) if kept > shares => {
                return Err(Failure::new(format!("the minimum allowed cpu-shares is {kept}")));
            }
            _ => {}
        }
    }
    let (period, quota) = (asked(cpu.period()), asked(cpu.quota()));
    let burst = cpu.burst().map(|burst| burst.to_string());
    let before = [("cpu.cfs_period_us", period), ("cpu.cfs_burst_us", burst)];
    set_around(seat, &before, ("cpu.cfs_quota_us", quota))?;
    if let Some(idle) = cpu.idle() {
        seat.write("cpu.idle", &idle.to_string())?;
    }
    let before = [("cpu.rt_period_us", asked(cpu.realtime_period()))];
    Ok(set_around(seat, &before, ("cpu.rt_runtime_us", asked(cpu.realtime_runtime())))?)
}

/// The period of version 2 where none was asked for, in microseconds.
const PERIOD: u64 = 100_000;

fn set_v2(seat: Seat<'_>, cpu: &LinuxCpu) -> Outcome<()> {
    let realtime = asked(cpu.realtime_period()).or(asked(cpu.realtime_runtime()));
    if realtime.is_some() {
        return Err(Failure::new(
            "linux.resources.cpu.realtimeRuntime: control groups of version 2 have no such control",
        ));
    }
    if let Some(idle) = cpu.idle() {
        seat.write("cpu.idle", &idle.to_string())?;
    }
    let weight = cpu.shares().filter(|&shares| shares != 0).map(weight);
    // An idle group has no weight.
    if let Some(weight) = weight.filter(|_| cpu.idle() != Some(1)) {
        seat.write("cpu.weight", &weight.to_string())?;
    }
    let quota = cpu.quota().filter(|&quota| quota != 0);
    let period = cpu.period().filter(|&period| period != 0);
    let rate = (quota.is_some() || period.is_some()).then(|| {
        let quota = quota.filter(|&quota| quota > 0).map_or("max".to_owned(), |q| q.to_string());
        format!("{quota} {}", period.unwrap_or(PERIOD))
    });
    let burst = cpu.burst().map(|burst| burst.to_string());
    Ok(set_around(seat, &[("cpu.max.burst", burst)], ("cpu.max", rate))?)
}

/// The weight of version 2 for shares of version 1, as runc has it since 1.3: a curve through the
/// least, the usual and the most of both, 2, 1024 and 262144 to 1, 100 and 10000.
pub(in crate::cgroup) fn weight(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            10_f64.powf(exponent).ceil() as u64
        }
    }
}
