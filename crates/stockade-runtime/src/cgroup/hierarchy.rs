//! [`Hierarchy`]: which hierarchies of control groups are mounted, and where the caller is in each.

use std::fs;

use super::dir::Version;
use crate::failure::{Context, Outcome};

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// Its controllers on version 1, or its only name, as `name=systemd`. None on version 2, which
    /// says so itself in `cgroup.controllers`.
    pub(super) controllers: Vec<String>,
    /// Where it is mounted.
    pub(super) point: String,
    /// The caller's own group, below the mount point; empty if it is what is mounted.
    pub(super) own: String,
}

/// Where hierarchies are looked for first.
const HOME: &str = "/sys/fs/cgroup";

/// One line of mountinfo, as far as control groups need it.
#[derive(Debug)]
struct Mount {
    root: String,
    point: String,
    version: Version,
    options: String,
}

/// The hierarchies that the calling process can see.
///
/// # Errors
/// If `/proc` is not mounted.
pub(super) fn read() -> Outcome<Vec<Hierarchy>> {
    let text = |path: &str| fs::read(path).context(|| format!("reading {path}"));
    let (groups, mounts) = (text("/proc/self/cgroup")?, text("/proc/self/mountinfo")?);
    // A line that is no text is of no group of ours, but must not hide the others.
    Ok(parse(&String::from_utf8_lossy(&groups), &String::from_utf8_lossy(&mounts)))
}

/// Reads them from the two texts; see cgroups(7) and proc_pid_mountinfo(5).
///
/// Where version 2 is mounted at [`HOME`] itself, as on most hosts, or nothing of version 1 has a
/// controller, version 2 is all there is: some keep an empty hierarchy `name=systemd` for old guests.
pub(super) fn parse(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let found: Vec<Hierarchy> =
        groups.lines().filter_map(|line| Hierarchy::locate(line, &mounts)).collect();
    let unified = |one: &&Hierarchy| one.version == Version::V2;
    let limits = |one: &Hierarchy| !one.is_named() && one.version == Version::V1;
    let home = found.iter().filter(unified).any(|one| one.point == HOME);
    if home || !found.iter().any(limits) {
        return found.iter().filter(unified).cloned().collect();
    }
    found
}

/// The path of the group on version 2 in a `/proc/PID/cgroup`.
pub(super) fn unified_path(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::/"))
}

impl Hierarchy {
    /// Whether it has no controller, but serves to find processes.
    pub(super) fn is_named(&self) -> bool {
        self.controllers.iter().any(|name| name.starts_with("name="))
    }

    /// Reads `number:controllers:path`, and finds the mount. `None` if it is not mounted.
    fn locate(line: &str, mounts: &[Mount]) -> Option<Self> {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        let controllers: Vec<String> =
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let version = if controllers.is_empty() { Version::V2 } else { Version::V1 };
        let holds = |mount: &&Mount| {
            let has = |name: &String| mount.options.split(',').any(|option| option == name);
            mount.version == version && controllers.iter().all(has)
        };
        // The last mount at a point covers those before it; a copy elsewhere may be of a part.
        let at_home = |mount: &&Mount| mount.point.starts_with(HOME);
        let candidates = || mounts.iter().filter(holds).rev();
        let mount = candidates().find(at_home).or_else(|| candidates().next())?;
        let own = mount.inside(path).unwrap_or_default();
        Some(Self { version, controllers, point: mount.point.clone(), own })
    }
}

impl Mount {
    /// Reads `id parent major:minor root point options [tag…] - type source superoptions`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut filesystem = filesystem.split(' ');
        let version = match filesystem.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        let (root, point) = (unescape(mount.next()?)?, unescape(mount.next()?)?);
        Some(Self { root, point, version, options: filesystem.nth(1)?.to_owned() })
    }

    /// A group's path below what is mounted. `None` for one that is not in it, or that is outside of
    /// the caller's cgroup namespace, which shows as `..`: the mounted group stands for the caller's
    /// then, being the nearest that can be had.
    fn inside(&self, path: &str) -> Option<String> {
        let path = path.strip_prefix('/')?;
        let root = self.root.strip_prefix('/')?;
        let rest = match path.strip_prefix(root)? {
            rest if root.is_empty() || rest.is_empty() => rest,
            rest => rest.strip_prefix('/')?,
        };
        (!rest.split('/').any(|part| part == "..")).then(|| rest.to_owned())
    }
}

/// Undoes mountinfo's octal escapes of blank, tab, newline and backslash. `None` if it is no text.
fn unescape(field: &str) -> Option<String> {
    let mut rest = field.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
