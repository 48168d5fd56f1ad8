//! [`Cgroup`]: the control groups of one container.
//!
//! A container has a group in each hierarchy of version 1 that is mounted, and one on version 2: that
//! alone on most hosts, and beside the others on a hybrid one, where it has no limits but can freeze
//! and kill without races. Everything is opened below a mount point that was seen to be cgroupfs, by
//! openat2(2), which follows no link and leaves no mount (Linux 5.6).

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::{LinuxResources, Spec};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

mod create;
mod devices;
mod dir;
pub(crate) mod enter;
mod freezer;
mod hierarchy;
mod limits;
mod oom;
mod place;
mod stats;
mod systemd;
mod walk;

use self::dir::{Dir, Version};
use self::limits::Seats;
pub(crate) use self::oom::Oom;
use self::place::Place;
pub(crate) use self::stats::Stats;
use self::systemd::Scope;
use crate::failure::{Context, Failure, Outcome};

/// How long processes may take to die before a group is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The groups of a container, as its state remembers them.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub(crate) struct Cgroup {
    groups: Vec<Group>,
    /// Whether version 2 is all there is.
    alone: bool,
    /// The unit of systemd that the groups belong to.
    scope: Option<Scope>,
    rootless: bool,
    /// Whether the config says where the groups are. Rootless, none are needed elsewhere.
    explicit: bool,
    /// Whether anything is limited.
    limited: bool,
    /// Whether the groups were made. Before that they may be another's, and are not removed.
    made: bool,
    /// What is set once the manager has started the unit, which needs a process.
    #[serde(skip)]
    pending: Option<LinuxResources>,
}

/// One group.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
struct Group {
    version: Version,
    /// As in [`hierarchy::Hierarchy::controllers`].
    controllers: Vec<String>,
    /// Where its hierarchy is mounted.
    point: String,
    /// Where it is below that; never empty.
    path: String,
}

impl Cgroup {
    /// Where the groups go. Makes nothing.
    ///
    /// # Errors
    /// If `linux.cgroupsPath` or an annotation for systemd cannot be taken, or `/proc` is not there.
    pub(crate) fn plan(spec: &Spec, id: &str, systemd: bool, rootless: bool) -> Outcome<Self> {
        let hierarchies = hierarchy::read()?;
        let alone = hierarchies.iter().all(|hierarchy| hierarchy.version == Version::V2);
        let path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
        let explicit = path.is_some_and(|path| !path.as_os_str().is_empty());
        if systemd && rootless && !alone {
            return Err(Failure::new("cannot use rootless systemd cgroups manager on cgroup v1"));
        }
        let scope = if systemd { Some(Scope::new(spec, id, rootless)?) } else { None };
        // With systemd the path is asked for when groups are made.
        let place = if systemd { Place::Absolute(String::new()) } else { Place::new(path, id)? };
        let groups = hierarchies.into_iter().map(|hierarchy| Group {
            path: place.below(&hierarchy, alone),
            version: hierarchy.version,
            controllers: hierarchy.controllers,
            point: hierarchy.point,
        });
        let groups = groups.collect();
        let (limited, made, pending) = (false, false, None);
        Ok(Self { groups, alone, scope, rootless, explicit, limited, made, pending })
    }

    /// What a mount of type `cgroup` shows a container that has no cgroup namespace: names below
    /// `/sys/fs/cgroup`, and the directory of the group for each. The name is empty for version 2.
    pub(crate) fn mounts(&self) -> Vec<(String, PathBuf)> {
        let shown = |group: &&Group| self.alone || group.version == Version::V1;
        let groups = self.groups.iter().filter(shown);
        groups.map(|group| (group.name(), Path::new(&group.point).join(&group.path))).collect()
    }

    /// Sets new limits; what is not named stays. Devices stay as they were, as with runc.
    ///
    /// # Errors
    /// The first limit that the kernel does not take, after which the others are what they were.
    pub(crate) fn update(&self, resources: &LinuxResources) -> Outcome<()> {
        if let Some(scope) = &self.scope {
            scope.update(resources, self.version())?;
        }
        self.seats()?.undoable().limit(resources)
    }

    /// Every process, in sub-groups too, as numbers of the caller's pid namespace.
    ///
    /// # Errors
    /// If there is no group, or what the kernel says.
    pub(crate) fn pids(&self) -> Outcome<Vec<i32>> {
        let Some(group) = self.main() else { return Err(self.none()) };
        match group.open() {
            Err(error) if walk::is_gone(&error) => Ok(Vec::new()),
            dir => dir.and_then(walk::all_members).context(|| format!("listing {}", group.shown())),
        }
    }

    /// Stops every process, and waits until all have.
    ///
    /// # Errors
    /// If it takes too long, or there is nothing to freeze it with; all run on then.
    pub(crate) fn freeze(&self) -> Outcome<()> {
        freezer::freeze(&self.freezer().ok_or_else(|| self.none())?)
    }

    /// Lets every process run again.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn thaw(&self) -> Outcome<()> {
        let freezers: Vec<Dir> = self.freezers().collect();
        if freezers.is_empty() {
            return Err(self.none());
        }
        // Another tool may have used the other.
        freezers.iter().try_for_each(freezer::thaw)
    }

    /// Whether the container is paused.
    pub(crate) fn is_frozen(&self) -> bool {
        self.freezers().any(|dir| freezer::is_frozen(&dir))
    }

    /// Sends a signal to every process. None escapes by forking.
    ///
    /// # Errors
    /// If there is no group, or what the kernel says.
    pub(crate) fn signal(&self, signal: Signal) -> Outcome<()> {
        let Some(group) = self.main() else { return Err(self.none()) };
        let shown = || format!("signalling {}", group.shown());
        if signal == Signal::KILL {
            self.thaw_below();
            let unified = self.groups.iter().find(|group| group.version == Version::V2);
            let dir = unified.and_then(|group| group.open().ok());
            if dir.is_some_and(|dir| dir.write("cgroup.kill", "1").is_ok()) {
                return Ok(());
            }
        }
        let dir = match group.open() {
            Err(error) if walk::is_gone(&error) => return Ok(()),
            dir => dir.context(shown)?,
        };
        let freezer = self.freezer().filter(|dir| !freezer::is_frozen(dir));
        // Where it cannot be frozen, most are reached all the same.
        let frozen = freezer.filter(|dir| freezer::freeze(dir).is_ok());
        let sent = walk::each(dir, |dir| walk::signal(dir, signal)).context(shown);
        if let Some(dir) = frozen {
            freezer::thaw(&dir)?;
        }
        if signal == Signal::KILL {
            self.thaw_below();
        }
        sent
    }

    /// What the container uses.
    ///
    /// # Errors
    /// If it has no group, or what the kernel says.
    pub(crate) fn stats(&self) -> Outcome<Stats> {
        let seats = self.seats()?;
        if seats.dirs.is_empty() { Err(self.none()) } else { stats::read(&seats) }
    }

    /// Hears of processes that are killed for want of memory.
    ///
    /// # Errors
    /// If memory is not counted.
    pub(crate) fn oom(&self) -> Outcome<Oom> {
        let counts =
            |group: &&Group| group.has("memory") || (self.alone && group.version == Version::V2);
        let group = self.groups.iter().find(counts);
        let group = group.ok_or_else(|| Failure::new("memory controller missing"))?;
        let dir = group.open().context(|| format!("opening {}", group.shown()))?;
        Oom::new(dir, group.version)
    }

    /// Kills what is left and removes the groups with all that are in them. Those that are gone, or
    /// that were never made, are fine.
    ///
    /// # Errors
    /// The first group that does not go, after all were tried.
    pub(crate) fn remove(&self) -> Outcome<()> {
        if !self.made {
            // Whoever made them was killed at it, before any process was inside; or they are another's,
            // and go only if nothing is in them.
            for group in &self.groups {
                let _ = group.unmake();
            }
            return Ok(());
        }
        let mut outcome = Ok(());
        let mut busy = Vec::new();
        // As a rule nothing is left in them.
        for group in &self.groups {
            match group.unmake() {
                Ok(true) => {}
                Ok(false) => busy.push(group),
                Err(error) => {
                    let failure = Err(error).context(|| format!("removing {}", group.shown()));
                    outcome = outcome.and(failure);
                }
            }
        }
        if !busy.is_empty() {
            let _ = self.signal(Signal::KILL);
        }
        if let Some(scope) = &self.scope {
            outcome = outcome.and(scope.stop());
        }
        let deadline = Instant::now() + PATIENCE;
        for group in busy {
            let removed = group.remove(deadline);
            outcome = outcome.and(removed.context(|| format!("removing {}", group.shown())));
        }
        outcome
    }

    /// Thaws all of version 1, a container's own sub-groups too: nothing frozen dies there.
    fn thaw_below(&self) {
        for group in self.groups.iter().filter(|group| group.has("freezer")) {
            if let Ok(dir) = group.open() {
                let _ = walk::each(dir, |dir| {
                    let _ = dir.write("freezer.state", "THAWED");
                    Ok(())
                });
            }
        }
    }

    /// The group whose processes are counted: version 2 if it is there, which reads the same.
    fn main(&self) -> Option<&Group> {
        let unified = self.groups.iter().find(|group| group.version == Version::V2);
        let limiting = || self.groups.iter().find(|group| group.has("freezer"));
        unified.or_else(limiting).or_else(|| self.groups.first())
    }

    /// What can freeze the container, the better first: version 2 has no races with fork(2).
    fn freezers(&self) -> impl Iterator<Item = Dir> {
        let of = |version: Version| {
            let can = move |group: &&Group| {
                group.version == version && (version == Version::V2 || group.has("freezer"))
            };
            self.groups.iter().filter(can)
        };
        let groups = of(Version::V2).chain(of(Version::V1));
        groups.filter_map(|group| group.open().ok()).filter(freezer::can)
    }

    fn freezer(&self) -> Option<Dir> {
        self.freezers().next()
    }

    /// The groups that are there, opened.
    fn seats(&self) -> Outcome<Seats> {
        let mut dirs = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            match group.open() {
                Ok(dir) => dirs.push((group.controllers.clone(), group.version, dir)),
                Err(error) if walk::is_gone(&error) => {}
                Err(error) => {
                    return Err(error).context(|| format!("opening {}", group.shown()));
                }
            }
        }
        Ok(Seats::new(dirs, self.alone))
    }

    fn version(&self) -> Version {
        if self.alone { Version::V2 } else { Version::V1 }
    }

    fn none(&self) -> Failure {
        Failure::new("the container has no control group that can do this")
    }
}

impl Group {
    /// Whether it is that of a controller of version 1.
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// What it is called below `/sys/fs/cgroup`.
    fn name(&self) -> String {
        let known = Path::new(&self.point).strip_prefix("/sys/fs/cgroup").ok();
        match known.and_then(Path::to_str) {
            Some(name) if !name.contains('/') => name.to_owned(),
            _ => self.controllers.join(",").trim_start_matches("name=").to_owned(),
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.point, self.path)
    }

    fn mount(&self) -> io::Result<Dir> {
        Dir::mount(Path::new(&self.point), self.version)
    }

    fn open(&self) -> io::Result<Dir> {
        self.mount()?.below(&self.path)
    }

    /// The group that it is in, and its name there. `None` if that one is not there.
    fn parent(&self) -> io::Result<Option<(Dir, CString)>> {
        let (above, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        match self.mount()?.below(above) {
            Ok(dir) => Ok(Some((dir, CString::new(name)?))),
            Err(error) if walk::is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes it if it is empty; whether it is gone.
    fn unmake(&self) -> io::Result<bool> {
        let Some((parent, name)) = self.parent()? else { return Ok(true) };
        match parent.unmake(&name) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::BUSY | rustix::io::Errno::NOTEMPTY) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&self, deadline: Instant) -> io::Result<()> {
        match self.parent()? {
            Some((parent, name)) => walk::remove(&parent, &name, deadline),
            None => Ok(()),
        }
    }
}

/// Whether this process is in a user namespace that is not the host's.
pub(crate) fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().ne(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests;
