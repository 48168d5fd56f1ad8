//! Weights and rates of block devices.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::{Seat, Seats};
use crate::failure::{Failure, Outcome};

pub(super) fn set(seats: &Seats, block: Option<&LinuxBlockIo>) -> Outcome<()> {
    let Some(block) = block else { return Ok(()) };
    if seats.alone {
        return set_v2(seats.seat("io"), block);
    }
    let seat = seats.seat("blkio");
    weights_v1(seat, block)?;
    for (device, _, file) in throttles(block) {
        let (major, minor, rate) = (device.major(), device.minor(), device.rate());
        seat.write(file, &format!("{major}:{minor} {rate}"))?;
    }
    Ok(())
}

/// Each rate with its key on version 2 and its file on version 1.
fn throttles(
    block: &LinuxBlockIo,
) -> impl Iterator<Item = (&LinuxThrottleDevice, &'static str, &'static str)> {
    let lists = [
        (block.throttle_read_bps_device(), "rbps", "blkio.throttle.read_bps_device"),
        (block.throttle_write_bps_device(), "wbps", "blkio.throttle.write_bps_device"),
        (block.throttle_read_iops_device(), "riops", "blkio.throttle.read_iops_device"),
        (block.throttle_write_iops_device(), "wiops", "blkio.throttle.write_iops_device"),
    ];
    lists
        .into_iter()
        .flat_map(|(list, key, file)| list.iter().flatten().map(move |device| (device, key, file)))
}

fn weights_v1(seat: Seat<'_>, block: &LinuxBlockIo) -> Outcome<()> {
    // The older scheduler had it, BFQ has it under a name of its own.
    let prefix = if seat.has("blkio.weight") { "blkio" } else { "blkio.bfq" };
    let weight = format!("{prefix}.weight");
    let files = [(block.weight(), weight.as_str()), (block.leaf_weight(), "blkio.leaf_weight")];
    for (value, file) in files {
        if let Some(value) = value.filter(|&value| value != 0) {
            seat.write(file, &value.to_string())?;
        }
    }
    let per_device = format!("{prefix}.weight_device");
    for device in block.weight_device().iter().flatten() {
        let files = [
            (device.weight(), per_device.as_str()),
            (device.leaf_weight(), "blkio.leaf_weight_device"),
        ];
        for (value, file) in files {
            if let Some(value) = value.filter(|&value| value != 0) {
                let (major, minor) = (device.major(), device.minor());
                seat.write(file, &format!("{major}:{minor} {value}"))?;
            }
        }
    }
    Ok(())
}

fn set_v2(seat: Seat<'_>, block: &LinuxBlockIo) -> Outcome<()> {
    let devices = || block.weight_device().iter().flatten();
    let leaf = |value: Option<u16>| value.is_some_and(|value| value != 0);
    if leaf(block.leaf_weight()) || devices().any(|device| leaf(device.leaf_weight())) {
        return Err(Failure::new(
            "linux.resources.blockIO.leafWeight: control groups of version 2 have no such control",
        ));
    }
    let bfq = seat.has("io.bfq.weight");
    let file = if bfq { "io.bfq.weight" } else { "io.weight" };
    let convert = |value: u16| if bfq { u64::from(value) } else { weight(value) };
    if let Some(value) = block.weight().filter(|&value| value != 0) {
        seat.write(file, &convert(value).to_string())?;
    }
    for device in devices() {
        if let Some(value) = device.weight().filter(|&value| value != 0) {
            let (major, minor) = (device.major(), device.minor());
            seat.write(file, &format!("{major}:{minor} {}", convert(value)))?;
        }
    }
    for (device, key, _) in throttles(block) {
        // Zero lifts the rate, as version 1 has it.
        let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
        let (major, minor) = (device.major(), device.minor());
        seat.write("io.max", &format!("{major}:{minor} {key}={rate}"))?;
    }
    Ok(())
}

/// The weight of version 2 for one of version 1: from 10 to 1000 becomes from 1 to 10000.
pub(in crate::cgroup) fn weight(weight: u16) -> u64 {
    1 + u64::from(weight).saturating_sub(10) * 9999 / 990
}
