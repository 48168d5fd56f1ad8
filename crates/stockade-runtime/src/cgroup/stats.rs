//! [`Stats`]: what a container uses, in the JSON of `runc events --stats`, which engines read.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::Serialize;

use super::dir::{Dir, Version};
use super::limits::Seats;
use super::walk;
use crate::failure::{Context, Outcome};

mod v1;
mod v2;

/// Amounts are bytes and times nanoseconds, unless said otherwise.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(crate) struct Stats {
    cpu: Cpu,
    cpuset: Cpuset,
    pub(super) memory: Memory,
    pub(super) pids: Pids,
    blkio: Blkio,
    hugetlb: BTreeMap<String, Huge>,
    /// Not measured.
    intel_rdt: BTreeMap<String, u64>,
    /// Not measured: with runc always so for a container.
    network_interfaces: Option<Vec<()>>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Cpu {
    usage: CpuUsage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct CpuUsage {
    #[serde(skip_serializing_if = "is_zero")]
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_kernel: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_user: Vec<u64>,
    kernel: u64,
    user: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "is_zero")]
    periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_time: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<u16>,
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<u16>,
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(super) struct Memory {
    #[serde(skip_serializing_if = "is_zero")]
    cache: u64,
    pub(super) usage: MemoryEntry,
    swap: MemoryEntry,
    kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryEntry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(super) struct MemoryEntry {
    pub(super) limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(super) struct Pids {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) current: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) limit: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<BlkioEntry>,
    #[serde(rename = "ioQueueRecursive", skip_serializing_if = "Vec::is_empty")]
    io_queued_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_wait_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_merged_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_time_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sectors_recursive: Vec<BlkioEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct BlkioEntry {
    #[serde(skip_serializing_if = "is_zero")]
    major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    minor: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    op: String,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Huge {
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

/// How much time was lost waiting, in percent of the last seconds, and in all, in microseconds.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Pressure {
    some: PressureData,
    full: PressureData,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct PressureData {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

#[cfg(test)]
impl Stats {
    pub(super) fn cpu_total(&self) -> u64 {
        self.cpu.usage.total
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// Reads what the groups of a container say. What a group does not have is left at zero.
pub(super) fn read(seats: &Seats) -> Outcome<Stats> {
    let mut stats = Stats::default();
    for (controllers, version, dir) in &seats.dirs {
        let read = match version {
            Version::V1 => v1::read(controllers, dir, &mut stats),
            // What version 1 counts is not counted there.
            Version::V2 if seats.alone => v2::read(dir, &mut stats),
            Version::V2 => v2::huge(dir, &mut stats),
        };
        read.context(|| format!("reading statistics of {}", dir.shown.display()))?;
    }
    Ok(stats)
}

/// A file; `None` if the kernel has no such file.
fn text(dir: &Dir, file: &str) -> io::Result<Option<String>> {
    match dir.read(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if walk::is_gone(&error) => Ok(None),
        // The kernel keeps no account of pressure.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A number in a file; zero if there is no such file, and the most there is for `max`.
fn number(dir: &Dir, file: &str) -> io::Result<u64> {
    Ok(text(dir, file)?.as_deref().and_then(amount).unwrap_or(0))
}

/// Version 1 says -1 for "no limit" here and there.
fn amount(text: &str) -> Option<u64> {
    match text.trim() {
        "max" | "-1" => Some(u64::MAX),
        digits => digits.parse().ok(),
    }
}

/// The lines `key value` of a file.
fn keys(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// Which sizes of huge pages there are, as files call them.
fn huge_page_sizes() -> Vec<String> {
    let entries = fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| huge_page_size(&name)).collect()
}

/// From `hugepages-2048kB` to `2MB`.
fn huge_page_size(name: &str) -> Option<String> {
    let kilobytes: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(match kilobytes {
        0..0x400 => format!("{kilobytes}KB"),
        0x400..0x10_0000 => format!("{}MB", kilobytes >> 10),
        _ => format!("{}GB", kilobytes >> 20),
    })
}

#[cfg(test)]
mod tests;
