//! [`Hierarchies`]: where this process stands in each cgroup hierarchy.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The directories of the caller's own cgroups, as far as they are mounted in sight.
///
/// Read from `/proc/self/cgroup` (cgroups(7)) and `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// For each version-1 controller in [`CONTROLLERS`] its directory; co-mounted controllers
    /// share one.
    pub(crate) v1: BTreeMap<&'static str, PathBuf>,
    /// The directory on the version-2 hierarchy.
    pub(crate) v2: Option<Unified>,
}

/// Where the caller stands on the version-2 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unified {
    /// The caller's own cgroup.
    pub(crate) own: PathBuf,
    /// The mount point it is seen through, which is itself or above it.
    pub(crate) mount: PathBuf,
}

/// The version-1 controllers that are of use.
pub(crate) const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

/// One line of mountinfo, as far as cgroups need it.
struct Mount {
    root: PathBuf,
    point: PathBuf,
    unified: bool,
    options: String,
}

impl Hierarchies {
    /// Reads where the calling process stands.
    ///
    /// # Errors
    /// If `/proc` is not mounted.
    pub(crate) fn read() -> io::Result<Self> {
        Self::of("self")
    }

    /// Reads where a process stands, by its number in `/proc`, in the caller's view.
    ///
    /// # Errors
    /// If `/proc` does not show it.
    pub(super) fn of(process: &str) -> io::Result<Self> {
        let cgroup = fs::read(format!("/proc/{process}/cgroup"))?;
        let mountinfo = fs::read("/proc/self/mountinfo")?;
        // A path that is no text is no cgroup of ours, but must not hide the others.
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self::parse(&text(&cgroup), &text(&mountinfo)))
    }

    /// The caller's own group in which memory is counted, if it is anywhere.
    pub(crate) fn memory(&self) -> Option<&Path> {
        let unified = || self.v2.as_ref().map(|there| &there.own);
        self.v1.get("memory").or_else(unified).map(PathBuf::as_path)
    }

    /// Finds the caller's own directories in the two texts. A cgroup outside of what is mounted,
    /// or outside of the caller's cgroup namespace (its path holds `..`), is left out.
    pub(crate) fn parse(cgroup_text: &str, mountinfo_text: &str) -> Self {
        let mounts: Vec<Mount> = mountinfo_text.lines().filter_map(Mount::parse).collect();
        let mut found = Self::default();
        for line in cgroup_text.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(names), Some(path)) = (fields.next(), fields.next()) else { continue };
            if names.is_empty() {
                let on = |mount: &&Mount| mount.unified;
                found.v2 = mounts.iter().filter(on).rev().find_map(|mount| {
                    Some(Unified { own: mount.locate(path)?, mount: mount.point.clone() })
                });
                continue;
            }
            for controller in CONTROLLERS {
                if !names.split(',').any(|name| name == controller) {
                    continue;
                }
                // The last mount on a point covers those before it.
                let on = |mount: &&Mount| !mount.unified && mount.holds(controller);
                if let Some(dir) = mounts.iter().filter(on).rev().find_map(|m| m.locate(path)) {
                    found.v1.insert(controller, dir);
                }
            }
        }
        found
    }
}

impl Mount {
    /// Reads `id parent major:minor root point options [tag…] - type source superoptions`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut filesystem = filesystem.split(' ');
        let unified = match filesystem.next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        Some(Self {
            root: unescape(mount.next()?),
            point: unescape(mount.next()?),
            unified,
            options: filesystem.nth(1)?.to_owned(),
        })
    }

    fn holds(&self, controller: &str) -> bool {
        self.options.split(',').any(|option| option == controller)
    }

    /// The directory in which the cgroup `path` is seen through this mount.
    fn locate(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
        // Joining what is left of an absolute path to no root would leave the mount.
        let absolute = [path, &self.root, &self.point].iter().all(|path| path.is_absolute());
        if !absolute || climbs(path) || climbs(&self.root) {
            return None;
        }
        // Collecting the components leaves no slash at the end when nothing is joined.
        Some(self.point.join(path.strip_prefix(&self.root).ok()?).components().collect())
    }
}

/// Undoes mountinfo's octal escapes of blank, tab, newline and backslash.
fn unescape(field: &str) -> PathBuf {
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
    PathBuf::from(OsStr::from_bytes(&bytes))
}
