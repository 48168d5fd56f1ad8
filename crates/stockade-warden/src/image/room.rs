//! How much memory is left: on the machine, and in the cgroups that bound the host.

use crate::sys::{self, Fd, O_DIRECTORY, O_PATH};
use crate::text;

/// Most groups above one another that are looked at; there are seldom more than five.
const LEVELS: usize = 16;
/// How long an answer is as good as a new one: a pool is filled faster than memory is.
const FRESH: u64 = 20_000_000;
/// What is little for a machine can be all there is in a group: there, this part of the limit is
/// enough.
const SHARE: u64 = 8;
/// A limit from here on is none: version 1 says so by a number.
const UNLIMITED: u64 = 1 << 62;

/// Where memory can run short. Zeros are a machine without groups.
pub struct Room {
    /// The group in which the sandboxes' groups are made, or the host's, then those above it; zeros
    /// behind the last.
    groups: [Fd; LEVELS],
    asked_at: u64,
    floor: u64,
    enough: bool,
}

/// What a group's files are called; see cgroups(7).
struct Files {
    limits: &'static [&'static [u8]],
    used: &'static [u8],
    /// What is given up before anything fails, in `memory.stat`.
    cache: &'static [&'static [u8]],
}

const V2: Files = Files {
    limits: &[b"memory.max\0", b"memory.high\0"],
    used: b"memory.current\0",
    cache: &[b"inactive_file", b"active_file", b"slab_reclaimable"],
};
const V1: Files = Files {
    limits: &[b"memory.limit_in_bytes\0"],
    used: b"memory.usage_in_bytes\0",
    cache: &[b"total_inactive_file", b"total_active_file"],
};

impl Room {
    /// On a machine, in this group and all above it, as far as they can be seen.
    pub fn within(group: Fd) -> Self {
        let mut groups = [0; LEVELS];
        groups[0] = group;
        for at in 1..LEVELS {
            let Ok(above) = sys::open_at(groups[at - 1], b"..\0", O_PATH | O_DIRECTORY, 0) else {
                break;
            };
            // Above a hierarchy there are ordinary directories.
            if sys::stat_at(above, b"cgroup.procs\0").is_err() {
                sys::close(above);
                break;
            }
            groups[at] = above;
        }
        Self { groups, asked_at: 0, floor: 0, enough: false }
    }

    /// Whether `floor` bytes are left everywhere, or in a small group a part of it.
    pub fn is_enough(&mut self, proc: Fd, floor: u64, now: u64) -> bool {
        let known = self.asked_at != 0 && self.floor == floor;
        if !known || now.saturating_sub(self.asked_at) >= FRESH {
            let mut groups = self.groups.iter().take_while(|group| **group != 0);
            self.enough = available(proc) >= floor
                && groups.all(|group| V2.leave(*group, floor) && V1.leave(*group, floor));
            self.floor = floor;
            self.asked_at = now;
        }
        self.enough
    }
}

impl Files {
    /// Whether this much is left in a group. One that has no such files, or cannot be read any more,
    /// bounds nothing.
    fn leave(&self, group: Fd, floor: u64) -> bool {
        let mut buffer = [0u8; 4096];
        let mut number = |file: &[u8]| text::number(sys::read_file(group, file, &mut buffer).ok()?);
        let limit = self.limits.iter().filter_map(|file| number(file)).min();
        let Some(limit) = limit.filter(|limit| *limit < UNLIMITED) else { return true };
        let Some(used) = number(self.used) else { return true };
        let floor = floor.min(limit / SHARE);
        if limit.saturating_sub(used) >= floor {
            return true;
        }
        let stat = sys::read_file(group, b"memory.stat\0", &mut buffer).unwrap_or(&[]);
        let cache = self.cache.iter().filter_map(|key| text::value(stat, key));
        let held = cache.fold(used, u64::saturating_sub);
        limit.saturating_sub(held) >= floor
    }
}

/// Bytes of memory that a new program could have on this machine, as proc_meminfo(5) estimates it;
/// all there can be, where it does not say.
fn available(proc: Fd) -> u64 {
    let mut buffer = [0u8; 512];
    let read = sys::read_file(proc, b"meminfo\0", &mut buffer);
    let kib = read.ok().and_then(|text| text::value(text, b"MemAvailable"));
    kib.map_or(u64::MAX, |kib| kib.saturating_mul(1024))
}
