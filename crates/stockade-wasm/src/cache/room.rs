//! The cache's size: what was not used for longest makes room.

use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::directory::TEMPORARY;

/// Most entries that are kept.
const MAX_ENTRIES: usize = 4096;
/// Seconds after which nobody is still writing a file.
const ABANDONED: i64 = 3600;

/// Notes that an entry was used.
pub(super) fn touch(directory: &OwnedFd, file: &str) {
    let unchanged = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: unchanged, last_modification: now };
    let _ = rustix::fs::utimensat(directory, file, &times, AtFlags::SYMLINK_NOFOLLOW);
}

struct Entry {
    used: (i64, i64),
    size: u64,
    name: String,
}

/// Removes the entries unused for longest until no more than `size` bytes are left, and what
/// processes left behind that died while writing. `newest` stays.
pub(super) fn make(directory: &OwnedFd, size: u64, newest: &str) {
    let Ok(mut entries) = list(directory) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    entries.retain(|entry| {
        let abandoned = entry.name.starts_with(TEMPORARY) && entry.used.0 < now - ABANDONED;
        if abandoned {
            remove(directory, &entry.name);
        }
        !abandoned
    });
    entries.sort_by_key(|entry| entry.used);
    let sizes = entries.iter().map(|entry| entry.size);
    let mut total = sizes.fold(0, u64::saturating_add);
    let mut count = entries.len();
    let old = entries.iter().filter(|entry| is_name(&entry.name) && entry.name != newest);
    for entry in old {
        if total <= size && count <= MAX_ENTRIES {
            return;
        }
        remove(directory, &entry.name);
        total = total.saturating_sub(entry.size);
        count -= 1;
    }
}

/// Files of the cache. Others in the directory are not ours to count or remove.
fn list(directory: &OwnedFd) -> rustix::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for item in Dir::read_from(directory)? {
        let item = item?;
        let Ok(name) = item.file_name().to_str() else { continue };
        if !is_name(name) && !name.starts_with(TEMPORARY) {
            continue;
        }
        // Another process may have removed it by now.
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let used = (stat.st_mtime, stat.st_mtime_nsec as i64);
        entries.push(Entry { used, size, name: name.to_owned() });
    }
    Ok(entries)
}

fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn remove(directory: &OwnedFd, name: &str) {
    let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
}
