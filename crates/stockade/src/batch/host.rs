//! How much memory this host has to give.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Bytes that this process and what it starts could hold before something has to be killed for
/// them. `root` is where `/proc` and the control groups are looked for.
pub(super) fn available_memory(root: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo"))?;
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "no MemAvailable in meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let available = kib.ok_or_else(missing)?.saturating_mul(1 << 10);
    Ok(left_by_groups(root).map_or(available, |left| available.min(left)))
}

/// The files of a control group that tell of its memory: cgroups(7), and the kernel's
/// Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// Of `memory.stat`: pages of files that are given back when there is need.
    idle: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    idle: "total_inactive_file",
};
const V2: Files = Files { limit: "memory.max", usage: "memory.current", idle: "inactive_file" };

/// The least that a control group of this process, or one above it, leaves. `None` when none has a
/// limit that can be read.
fn left_by_groups(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read(root.join(path)).ok();
    let cgroup = read("proc/self/cgroup")?;
    let mountinfo = read("proc/self/mountinfo")?;
    let mounts: Vec<Mount> =
        mountinfo.split(|&byte| byte == b'\n').filter_map(Mount::parse).collect();
    let groups = cgroup.split(|&byte| byte == b'\n').filter_map(|line| {
        // `number:controllers:path`; version 2 names no controller.
        let mut fields = line.splitn(3, |&byte| byte == b':').skip(1);
        let (names, path) = (fields.next()?, Path::new(OsStr::from_bytes(fields.next()?)));
        let unified = names.is_empty();
        let memory = names.split(|&byte| byte == b',').any(|name| name == b"memory");
        let fitting = mounts.iter().rev().filter(|mount| mount.unified == unified);
        (unified || memory).then(|| fitting.into_iter().find_map(|mount| mount.locate(path)))?
    });
    let left = groups.filter_map(|group| {
        let files = if group.unified { &V2 } else { &V1 };
        let own = group.below.ancestors().map(|below| root.join(group.point).join(below));
        own.filter_map(|directory| files.left(&directory)).min()
    });
    left.min()
}

impl Files {
    fn left(&self, directory: &Path) -> Option<u64> {
        let read = |file| fs::read_to_string(directory.join(file)).ok();
        let number = |text: String| text.trim().parse::<u64>().ok();
        let limit = read(self.limit).and_then(number)?;
        let usage = read(self.usage).and_then(number).unwrap_or(0);
        let stat = read("memory.stat").unwrap_or_default();
        let idle = stat.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            (name == self.idle).then(|| value.parse::<u64>().ok())?
        });
        Some(limit.saturating_sub(usage.saturating_sub(idle.unwrap_or(0))))
    }
}

/// A mount of a hierarchy of control groups: proc_pid_mountinfo(5).
struct Mount {
    root: PathBuf,
    /// Without its leading slash.
    point: PathBuf,
    unified: bool,
}

/// A control group that is in sight.
struct Group<'mount> {
    point: &'mount Path,
    /// Its path below the mount point.
    below: PathBuf,
    unified: bool,
}

impl Mount {
    /// `id parent major:minor root point options [tag…] - type source superoptions`, if it is a
    /// hierarchy that counts memory.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut filesystem = filesystem.split(' ');
        let kind = filesystem.next()?;
        let unified = kind == "cgroup2";
        let memory =
            kind == "cgroup" && filesystem.nth(1)?.split(',').any(|option| option == "memory");
        if !unified && !memory {
            return None;
        }
        let (root, point) = (mount.next()?, mount.next()?.strip_prefix('/')?);
        // A path that mountinfo has to escape is not where control groups are.
        let plain = !root.contains('\\') && !point.contains('\\');
        plain.then(|| Self { root: root.into(), point: point.into(), unified })
    }

    /// Where the group `path` is seen through this mount.
    fn locate(&self, path: &Path) -> Option<Group<'_>> {
        let below = path.strip_prefix(&self.root).ok()?;
        let climbs = below.components().any(|part| part == Component::ParentDir);
        let (point, unified) = (self.point.as_path(), self.unified);
        (!climbs).then(|| Group { point, below: below.to_owned(), unified })
    }
}
