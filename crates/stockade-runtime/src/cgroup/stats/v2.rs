//! What version 2 says, under the names and in the tables of version 1.

use std::io;

use super::{
    Blkio, BlkioEntry, Huge, MemoryEntry, Pressure, PressureData, Stats, huge_page_sizes, keys,
    number, text,
};
use crate::cgroup::dir::Dir;
use crate::cgroup::walk;

pub(super) fn read(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    pids(dir, stats)?;
    memory(dir, stats)?;
    blocks(&text(dir, "io.stat")?.unwrap_or_default(), &mut stats.blkio);
    cpu(&text(dir, "cpu.stat")?.unwrap_or_default(), stats);
    huge(dir, stats)?;
    stats.memory.psi = pressure(dir, "memory.pressure")?;
    stats.blkio.psi = pressure(dir, "io.pressure")?;
    stats.cpu.psi = pressure(dir, "cpu.pressure")?;
    Ok(())
}

fn pids(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    let Some(current) = text(dir, "pids.current")? else {
        // Without the controller nothing is counted but who is there.
        stats.pids.current = walk::members(dir)?.len() as u64;
        return Ok(());
    };
    stats.pids.current = current.trim().parse().unwrap_or(0);
    // No limit has always been shown as zero.
    stats.pids.limit = Some(number(dir, "pids.max")?).filter(|&n| n != u64::MAX).unwrap_or(0);
    Ok(())
}

fn memory(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    let memory = &mut stats.memory;
    let Some(raw) = text(dir, "memory.stat")? else { return Ok(()) };
    memory.raw = keys(&raw).map(|(key, value)| (key.to_owned(), value)).collect();
    memory.cache = memory.raw.get("file").copied().unwrap_or(0);
    let entry = |name: &str| {
        Ok::<_, io::Error>(MemoryEntry {
            limit: number(dir, &format!("memory{name}.max"))?,
            usage: number(dir, &format!("memory{name}.current"))?,
            max: number(dir, &format!("memory{name}.peak"))?,
            failcnt: 0,
        })
    };
    memory.usage = entry("")?;
    memory.swap = together(entry(".swap")?, &memory.usage);
    Ok(())
}

/// Swap with memory, as version 1 counts. The peaks may not have been at the same time.
pub(super) fn together(swap: MemoryEntry, memory: &MemoryEntry) -> MemoryEntry {
    MemoryEntry {
        usage: swap.usage.saturating_add(memory.usage),
        limit: swap.limit.saturating_add(memory.limit),
        max: 0,
        failcnt: swap.failcnt,
    }
}

/// The lines `major:minor key=value…`.
pub(super) fn blocks(text: &str, blkio: &mut Blkio) {
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let device = fields.next().and_then(|device| device.split_once(':'));
        let Some((major, minor)) = device else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut blkio.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut blkio.io_service_bytes_recursive, "Write"),
                "rios" => (&mut blkio.io_serviced_recursive, "Read"),
                "wios" => (&mut blkio.io_serviced_recursive, "Write"),
                _ => continue,
            };
            let Ok(value) = value.parse() else { continue };
            list.push(BlkioEntry { major, minor, op: op.to_owned(), value });
        }
    }
}

/// Times are microseconds there.
pub(super) fn cpu(text: &str, stats: &mut Stats) {
    let cpu = &mut stats.cpu;
    for (key, value) in keys(text) {
        let nanoseconds = value.saturating_mul(1000);
        match key {
            "usage_usec" => cpu.usage.total = nanoseconds,
            "user_usec" => cpu.usage.user = nanoseconds,
            "system_usec" => cpu.usage.kernel = nanoseconds,
            "nr_periods" => cpu.throttling.periods = value,
            "nr_throttled" => cpu.throttling.throttled_periods = value,
            "throttled_usec" => cpu.throttling.throttled_time = nanoseconds,
            _ => {}
        }
    }
}

/// Huge pages, where the controller is.
pub(super) fn huge(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    for size in huge_page_sizes() {
        let reserved = text(dir, &format!("hugetlb.{size}.rsvd.current"))?;
        let used = text(dir, &format!("hugetlb.{size}.current"))?;
        let Some(usage) = reserved.or(used) else { continue };
        let events = text(dir, &format!("hugetlb.{size}.events"))?.unwrap_or_default();
        let failcnt = keys(&events).find(|(key, _)| *key == "max").map_or(0, |(_, value)| value);
        let usage = usage.trim().parse().unwrap_or(0);
        stats.hugetlb.insert(size, Huge { usage, max: 0, failcnt });
    }
    Ok(())
}

fn pressure(dir: &Dir, file: &str) -> io::Result<Option<Pressure>> {
    Ok(text(dir, file)?.map(|text| parse_pressure(&text)))
}

/// The lines `some avg10=… avg60=… avg300=… total=…` and `full …`.
pub(super) fn parse_pressure(text: &str) -> Pressure {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let (data, fields) = match line.split_once(' ') {
            Some(("some", fields)) => (&mut pressure.some, fields),
            Some(("full", fields)) => (&mut pressure.full, fields),
            _ => continue,
        };
        *data = PressureData::default();
        for (key, value) in fields.split(' ').filter_map(|field| field.split_once('=')) {
            match key {
                "avg10" => data.avg10 = value.parse().unwrap_or(0.0),
                "avg60" => data.avg60 = value.parse().unwrap_or(0.0),
                "avg300" => data.avg300 = value.parse().unwrap_or(0.0),
                "total" => data.total = value.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    pressure
}
