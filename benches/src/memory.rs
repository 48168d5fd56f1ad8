//! [`Memory`]: what this process holds.

use std::fmt;
use std::fs;

/// Kibibytes this process holds, and mappings it has; see proc(5), `status` and `smaps_rollup`.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident.
    pub resident: u64,
    /// Resident, with what is shared counted in parts.
    pub share: u64,
    /// The kernel's page tables for it.
    pub tables: u64,
    /// Address space.
    pub space: u64,
    /// Mappings.
    pub mappings: usize,
}

impl Memory {
    /// Looks at this process.
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (status, rollup) = (read("/proc/self/status"), read("/proc/self/smaps_rollup"));
        Self {
            resident: kibibytes(&status, "VmRSS:"),
            share: kibibytes(&rollup, "Pss:"),
            tables: kibibytes(&status, "VmPTE:"),
            space: kibibytes(&status, "VmSize:"),
            mappings: read("/proc/self/maps").lines().count(),
        }
    }

    /// What one of `count` holds of the growth since `before`, in words.
    pub fn each(&self, before: &Self, count: usize) -> String {
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / count.max(1) as f64;
        format!(
            "resident {:.1} KiB, share (PSS) {:.1} KiB, page tables {:.1} KiB",
            share(self.resident, before.resident),
            share(self.share, before.share),
            share(self.tables, before.tables),
        )
    }
}

fn kibibytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
        write!(
            f,
            "resident {:.1} MiB, share (PSS) {:.1} MiB, page tables {:.1} MiB, \
             address space {:.2} TiB, {} mappings",
            mebibytes(self.resident),
            mebibytes(self.share),
            mebibytes(self.tables),
            mebibytes(self.space) / 1048576.0,
            self.mappings,
        )
    }
}
