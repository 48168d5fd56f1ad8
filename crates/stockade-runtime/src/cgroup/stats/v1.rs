//! What version 1 says.

use std::io;

use super::{Blkio, BlkioEntry, Huge, MemoryEntry, Stats, huge_page_sizes, keys, number, text};
use crate::cgroup::dir::Dir;

pub(super) fn read(controllers: &[String], dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    for controller in controllers {
        match controller.as_str() {
            "cpu" => throttling(dir, stats)?,
            "cpuacct" => cpu(dir, stats)?,
            "cpuset" => cpuset(dir, stats)?,
            "memory" => memory(dir, stats)?,
            "pids" => {
                stats.pids.current = number(dir, "pids.current")?;
                // No limit has always been shown as zero.
                stats.pids.limit =
                    Some(number(dir, "pids.max")?).filter(|&n| n != u64::MAX).unwrap_or(0);
            }
            "blkio" => blkio(dir, &mut stats.blkio)?,
            "hugetlb" => hugetlb(dir, stats)?,
            _ => {}
        }
    }
    Ok(())
}

fn throttling(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    for (key, value) in keys(&text(dir, "cpu.stat")?.unwrap_or_default()) {
        match key {
            "nr_periods" => stats.cpu.throttling.periods = value,
            "nr_throttled" => stats.cpu.throttling.throttled_periods = value,
            "throttled_time" => stats.cpu.throttling.throttled_time = value,
            _ => {}
        }
    }
    Ok(())
}

/// The kernel counts 100 ticks a second for programs, whatever it does itself.
const TICK: u64 = 10_000_000;

fn cpu(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    let usage = &mut stats.cpu.usage;
    for (key, ticks) in keys(&text(dir, "cpuacct.stat")?.unwrap_or_default()) {
        match key {
            "user" => usage.user = ticks.saturating_mul(TICK),
            "system" => usage.kernel = ticks.saturating_mul(TICK),
            _ => {}
        }
    }
    usage.total = number(dir, "cpuacct.usage")?;
    let each = text(dir, "cpuacct.usage_percpu")?.unwrap_or_default();
    usage.percpu = each.split_whitespace().filter_map(|value| value.parse().ok()).collect();
    // After a heading, a line `cpu user system` for each.
    for line in text(dir, "cpuacct.usage_all")?.unwrap_or_default().lines().skip(1) {
        let mut fields = line.split(' ').skip(1).map(str::parse);
        if let (Some(Ok(user)), Some(Ok(system))) = (fields.next(), fields.next()) {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(system);
        }
    }
    Ok(())
}

fn cpuset(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    let set = &mut stats.cpuset;
    let list = |file: &str| Ok::<_, io::Error>(expand(&text(dir, file)?.unwrap_or_default()));
    set.cpus = list("cpuset.cpus")?;
    set.mems = list("cpuset.mems")?;
    for (file, field) in [
        ("cpuset.cpu_exclusive", &mut set.cpu_exclusive),
        ("cpuset.mem_hardwall", &mut set.mem_hardwall),
        ("cpuset.mem_exclusive", &mut set.mem_exclusive),
        ("cpuset.memory_migrate", &mut set.memory_migrate),
        ("cpuset.memory_spread_page", &mut set.memory_spread_page),
        ("cpuset.memory_spread_slab", &mut set.memory_spread_slab),
        ("cpuset.memory_pressure", &mut set.memory_pressure),
        ("cpuset.sched_load_balance", &mut set.sched_load_balance),
    ] {
        *field = number(dir, file)?;
    }
    let level = text(dir, "cpuset.sched_relax_domain_level")?.unwrap_or_default();
    set.sched_relax_domain_level = level.trim().parse().unwrap_or(0);
    Ok(())
}

/// The numbers of a list like `0-2,5`.
pub(super) fn expand(list: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

fn memory(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    let memory = &mut stats.memory;
    let raw = text(dir, "memory.stat")?.unwrap_or_default();
    memory.raw = keys(&raw).map(|(key, value)| (key.to_owned(), value)).collect();
    memory.cache = memory.raw.get("cache").copied().unwrap_or(0);
    let entry = |name: &str| {
        Ok::<_, io::Error>(MemoryEntry {
            limit: number(dir, &format!("memory{name}.limit_in_bytes"))?,
            usage: number(dir, &format!("memory{name}.usage_in_bytes"))?,
            max: number(dir, &format!("memory{name}.max_usage_in_bytes"))?,
            failcnt: number(dir, &format!("memory{name}.failcnt"))?,
        })
    };
    memory.usage = entry("")?;
    memory.swap = entry(".memsw")?;
    memory.kernel = entry(".kmem")?;
    memory.kernel_tcp = entry(".kmem.tcp")?;
    Ok(())
}

/// The tables of block devices by what the scheduler in use calls them: of each place the first
/// file tells whether the place is kept. An empty one stands for another scheduler.
fn blkio(dir: &Dir, blkio: &mut Blkio) -> io::Result<()> {
    for prefix in ["blkio.bfq.", "blkio."] {
        let served = table(dir, &format!("{prefix}io_serviced_recursive"))?;
        let Some(served) = served.filter(|served| !served.is_empty()) else { continue };
        blkio.io_serviced_recursive = served;
        for (file, list) in [
            ("io_service_bytes_recursive", &mut blkio.io_service_bytes_recursive),
            ("sectors_recursive", &mut blkio.sectors_recursive),
            ("io_service_time_recursive", &mut blkio.io_service_time_recursive),
            ("io_wait_time_recursive", &mut blkio.io_wait_time_recursive),
            ("io_merged_recursive", &mut blkio.io_merged_recursive),
            ("io_queued_recursive", &mut blkio.io_queued_recursive),
            ("time_recursive", &mut blkio.io_time_recursive),
        ] {
            *list = table(dir, &format!("{prefix}{file}"))?.unwrap_or_default();
        }
        return Ok(());
    }
    for suffix in ["_recursive", ""] {
        let file = |name: &str| format!("blkio.throttle.{name}{suffix}");
        if let Some(served) = table(dir, &file("io_serviced"))? {
            blkio.io_serviced_recursive = served;
            let bytes = table(dir, &file("io_service_bytes"))?;
            blkio.io_service_bytes_recursive = bytes.unwrap_or_default();
            return Ok(());
        }
    }
    Ok(())
}

/// The lines `major:minor operation value`, some without operation. The last is a sum, and left out.
fn table(dir: &Dir, file: &str) -> io::Result<Option<Vec<BlkioEntry>>> {
    Ok(text(dir, file)?.map(|text| text.lines().filter_map(entry).collect()))
}

pub(super) fn entry(line: &str) -> Option<BlkioEntry> {
    let (device, rest) = line.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let (op, value) = rest.split_once(' ').unwrap_or(("", rest));
    Some(BlkioEntry {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        op: op.to_owned(),
        value: value.parse().ok()?,
    })
}

fn hugetlb(dir: &Dir, stats: &mut Stats) -> io::Result<()> {
    for size in huge_page_sizes() {
        let reserved = format!("hugetlb.{size}.rsvd");
        let counted = dir.has(&format!("{reserved}.usage_in_bytes"));
        let prefix = if counted { reserved } else { format!("hugetlb.{size}") };
        let huge = Huge {
            usage: number(dir, &format!("{prefix}.usage_in_bytes"))?,
            max: number(dir, &format!("{prefix}.max_usage_in_bytes"))?,
            failcnt: number(dir, &format!("{prefix}.failcnt"))?,
        };
        stats.hugetlb.insert(size, huge);
    }
    Ok(())
}
