//! [`Recipe`]: what the warden does with a run's cgroups, as plain data.

use stockade_warden::wire::board::{Stop, Word};
use stockade_warden::wire::plan::when;

use super::{Cgroups, Seat, Version};

/// What a run may use, as far as cgroups bound it. `None` lifts a limit; what is used is still
/// counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes. The kernel rounds down to whole pages, so what is read back may be up to a page
    /// less.
    pub(crate) memory: Option<u64>,
    /// Tasks alive at once.
    pub(crate) processes: Option<u64>,
    /// Thousandths of a core; at least 10, since the kernel takes no quota below 1 ms.
    pub(crate) milli_cpus: Option<u32>,
}

/// Cgroups to make for each run, and which of their files to write, read and watch. All indices
/// are into `groups`; all lists are in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The cgroups.
    pub(crate) groups: Vec<GroupSpec>,
    /// Values written before anything runs.
    pub(crate) writes: Vec<WriteSpec>,
    /// Numbers read onto the board.
    pub(crate) counters: Vec<CounterSpec>,
    /// Files that tell when a limit was hit.
    pub(crate) watches: Vec<WatchSpec>,
}

/// A cgroup, made in a base directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupSpec {
    /// Index of the base directory.
    pub(crate) parent: u32,
    /// Whether it is on the version-2 hierarchy.
    pub(crate) unified: bool,
}

/// A value for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteSpec {
    /// Index of the group.
    pub(crate) group: u32,
    /// Whether a file that does not exist is passed over.
    pub(crate) optional: bool,
    /// File name.
    pub(crate) file: &'static str,
    /// What is written.
    pub(crate) value: String,
}

/// A number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CounterSpec {
    /// Index of the group.
    pub(crate) group: u32,
    /// One of [`when`].
    pub(crate) when: u32,
    /// Where on the board it goes.
    pub(crate) word: Word,
    /// Factor that makes it the board's unit.
    pub(crate) scale: u32,
    /// File name.
    pub(crate) file: &'static str,
    /// The key whose value it is, or empty when the number comes first in the file.
    pub(crate) key: &'static str,
}

/// A file that changes when a limit is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatchSpec {
    /// Index of the group.
    pub(crate) group: u32,
    /// How the run ends.
    pub(crate) stop: Stop,
    /// Whether an event descriptor tells (version-1 memory) rather than polling the file.
    pub(crate) eventfd: bool,
    /// The limit.
    pub(crate) limit: u64,
    /// File name.
    pub(crate) file: &'static str,
    /// The key whose value must have risen above zero.
    pub(crate) key: &'static str,
}

/// Length of a CPU quota's period in microseconds; the kernel's own default.
const PERIOD_US: u32 = 100_000;

impl Cgroups {
    /// What to do for each run within `bounds`. A hierarchy that would neither bound nor count
    /// anything is left out: each directory costs every run some 25 to 50 µs.
    pub(crate) fn recipe(&self, bounds: &Bounds) -> Recipe {
        let mut recipe = Recipe::default();
        if let Ok(seat) = &self.memory {
            recipe.memory(seat, bounds.memory);
        }
        if let Ok(seat) = &self.tasks {
            recipe.tasks(seat, bounds.processes);
        }
        if let Ok(seat) = &self.cpu_time {
            recipe.cpu_time(seat);
        }
        if let (Ok(seat), Some(milli)) = (&self.cpu_rate, bounds.milli_cpus) {
            recipe.cpu_rate(seat, milli);
        }
        recipe
    }
}

impl Recipe {
    fn memory(&mut self, seat: &Seat, limit: Option<u64>) {
        let group = self.group(seat);
        match seat.version {
            Version::V1 => {
                const LIMIT: &str = "memory.limit_in_bytes";
                const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";
                if let Some(limit) = limit {
                    self.write(group, LIMIT, limit);
                    // It must never be below the limit without swap, so it is written after it.
                    self.write_optional(group, WITH_SWAP, limit);
                    if !seat.has(WITH_SWAP) {
                        self.write_optional(group, "memory.swappiness", 0);
                    }
                    self.read(group, when::START, Word::ReadMemory, LIMIT);
                    if seat.has(WITH_SWAP) {
                        self.read(group, when::START, Word::ReadSwap, WITH_SWAP);
                    }
                    self.watch(group, Stop::Memory, limit, "memory.oom_control", "oom_kill");
                }
                // What a shortage above has moved to swap still counts against the limit.
                let peak = match seat.has(WITH_SWAP) {
                    true => "memory.memsw.max_usage_in_bytes",
                    false => "memory.max_usage_in_bytes",
                };
                self.read(group, when::END, Word::PeakMemory, peak);
                // Kills are all that is counted: `memory.failcnt` stays zero on some kernels.
                self.read_key(group, Word::OomKills, "memory.oom_control", "oom_kill");
            }
            Version::V2 => {
                if let Some(limit) = limit {
                    self.write(group, "memory.max", limit);
                    self.write_optional(group, "memory.swap.max", 0);
                    self.write_optional(group, "memory.oom.group", 1);
                    self.read(group, when::START, Word::ReadMemory, "memory.max");
                    // Not `oom_kill`, which also counts what a group above or the whole host ran
                    // out of.
                    self.watch(group, Stop::Memory, limit, "memory.events", "oom");
                }
                if seat.has("memory.peak") {
                    self.read(group, when::END, Word::PeakMemory, "memory.peak");
                }
                self.read_key(group, Word::OomEvents, "memory.events", "oom");
                self.read_key(group, Word::OomEventKills, "memory.events", "oom_kill");
            }
        }
    }

    fn tasks(&mut self, seat: &Seat, limit: Option<u64>) {
        let group = self.group(seat);
        if let Some(limit) = limit {
            self.write(group, "pids.max", limit);
            self.read(group, when::START, Word::ReadTasks, "pids.max");
            self.watch(group, Stop::Processes, limit, "pids.events", "max");
            self.read_key(group, Word::TaskRefusals, "pids.events", "max");
        }
        if seat.has("pids.peak") {
            self.read(group, when::END, Word::PeakTasks, "pids.peak");
        }
    }

    fn cpu_time(&mut self, seat: &Seat) {
        let group = self.group(seat);
        for when in [when::END, when::CLOCK] {
            let mut count = |word, scale, file, key| {
                self.counters.push(CounterSpec { group, when, word, scale, file, key });
            };
            match seat.version {
                // cpuacct.usage_user and cpuacct.usage_sys count by timer ticks: a program that
                // sleeps across each tick uses no time by them, and a short one never does. Only
                // the sum is exact.
                Version::V1 => count(Word::UserNs, 1, "cpuacct.usage", ""),
                Version::V2 => {
                    count(Word::UserNs, 1000, "cpu.stat", "user_usec");
                    count(Word::SystemNs, 1000, "cpu.stat", "system_usec");
                }
            }
        }
    }

    fn cpu_rate(&mut self, seat: &Seat, milli: u32) {
        let group = self.group(seat);
        let quota = u64::from(milli) * u64::from(PERIOD_US / 1000);
        match seat.version {
            Version::V1 => {
                self.write(group, "cpu.cfs_period_us", PERIOD_US.into());
                self.write(group, "cpu.cfs_quota_us", quota);
                self.read(group, when::START, Word::ReadQuota, "cpu.cfs_quota_us");
            }
            Version::V2 => {
                let value = format!("{quota} {PERIOD_US}");
                self.writes.push(WriteSpec { group, optional: false, file: "cpu.max", value });
                self.read(group, when::START, Word::ReadQuota, "cpu.max");
            }
        }
    }

    /// The group in the seat's base directory, which co-mounted controllers share.
    fn group(&mut self, seat: &Seat) -> u32 {
        let spec = GroupSpec { parent: seat.parent, unified: seat.version == Version::V2 };
        let index = self.groups.iter().position(|group| *group == spec).unwrap_or_else(|| {
            self.groups.push(spec);
            self.groups.len() - 1
        });
        index as u32
    }

    fn write(&mut self, group: u32, file: &'static str, value: u64) {
        self.writes.push(WriteSpec { group, optional: false, file, value: value.to_string() });
    }

    fn write_optional(&mut self, group: u32, file: &'static str, value: u64) {
        self.writes.push(WriteSpec { group, optional: true, file, value: value.to_string() });
    }

    fn read(&mut self, group: u32, when: u32, word: Word, file: &'static str) {
        self.counters.push(CounterSpec { group, when, word, scale: 1, file, key: "" });
    }

    fn read_key(&mut self, group: u32, word: Word, file: &'static str, key: &'static str) {
        self.counters.push(CounterSpec { group, when: when::END, word, scale: 1, file, key });
    }

    fn watch(&mut self, group: u32, stop: Stop, limit: u64, file: &'static str, key: &'static str) {
        let eventfd = file == "memory.oom_control";
        self.watches.push(WatchSpec { group, stop, eventfd, limit, file, key });
    }
}
