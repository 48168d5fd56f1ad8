//! Finding out what cgroups can do here, by doing it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, mkdirat};

use super::base::Base;
use super::detect::{Hierarchies, Unified};
use super::remove::{PATIENCE, remove};
use super::scope::{Manager, Scope};
use super::unified::{self, Refusal};
use super::{Cgroups, Home, Lack, Parent, Seat, Version, files};

/// What is tried for one resource on one interface.
struct Trial {
    /// Controller, or empty where every group counts it.
    controller: &'static str,
    /// A limit, which is read back.
    limit: Option<(&'static str, &'static str)>,
    /// Files that must be there.
    needed: &'static [&'static str],
    /// Files that may be missing.
    optional: &'static [&'static str],
}

/// The place of CPU time among the trials below: memory, tasks, CPU time, CPU rate.
const CPU_TIME: usize = 2;
const RESOURCES: usize = 4;

const V1: [Trial; RESOURCES] = [
    Trial {
        controller: "memory",
        limit: Some(("memory.limit_in_bytes", "16777216")),
        needed: &["memory.oom_control", "memory.max_usage_in_bytes", "cgroup.event_control"],
        optional: &["memory.memsw.limit_in_bytes"],
    },
    Trial {
        controller: "pids",
        limit: Some(("pids.max", "17")),
        needed: &["pids.events"],
        optional: &["pids.peak"],
    },
    Trial { controller: "cpuacct", limit: None, needed: &["cpuacct.usage"], optional: &[] },
    Trial {
        controller: "cpu",
        limit: Some(("cpu.cfs_quota_us", "1000")),
        needed: &["cpu.cfs_period_us"],
        optional: &[],
    },
];

const V2: [Trial; RESOURCES] = [
    Trial {
        controller: "memory",
        limit: Some(("memory.max", "16777216")),
        needed: &["memory.events"],
        optional: &["memory.swap.max", "memory.peak"],
    },
    Trial {
        controller: "pids",
        limit: Some(("pids.max", "17")),
        needed: &["pids.events"],
        optional: &["pids.peak"],
    },
    Trial { controller: "", limit: None, needed: &["cpu.stat"], optional: &[] },
    Trial {
        controller: "cpu",
        limit: Some(("cpu.max", "1000 100000")),
        needed: &[],
        optional: &[],
    },
];

impl Cgroups {
    /// Tries, for each resource, the hierarchy that has it: makes a group there, writes limits,
    /// reads them back, and removes the group.
    pub(crate) fn probe(hierarchies: &Hierarchies) -> Self {
        Self::probe_at(hierarchies, unified::home, Home::Given)
    }

    /// The same in a scope of the manager's.
    pub(crate) fn probe_scope(scope: &Scope) -> Self {
        let unified = scope.manager.caller.clone();
        let hierarchies = Hierarchies { v1: BTreeMap::new(), v2: Some(unified) };
        let home = Home::Scope(scope.manager.clone());
        Self::probe_at(&hierarchies, |_| Ok(scope.dir.clone()), home)
    }

    fn probe_at(
        hierarchies: &Hierarchies,
        home: impl FnOnce(&Unified) -> Result<PathBuf, Refusal>,
        mut kind: Home,
    ) -> Self {
        let mut seats: [Result<Seat, Lack>; RESOURCES] =
            V1.each_ref().map(|trial| Err(unseen(trial.controller)));
        let mut parents = Vec::new();
        for (dir, resources) in places(hierarchies) {
            let parent = Parent { dir, version: Version::V1, controllers: Vec::new() };
            settle(parent, &V1, &resources, &mut seats, &mut parents);
        }
        let left: Vec<usize> = (0..RESOURCES).filter(|&r| is_unclaimed(r, hierarchies)).collect();
        if let Some(unified) = hierarchies.v2.as_ref().filter(|_| !left.is_empty()) {
            let lack = match home(unified) {
                Ok(dir) => settle_unified(dir, &left, &mut seats, &mut parents).err(),
                Err(Refusal::Other(lack)) => Some(lack),
                Err(Refusal::Undelegated(lack)) => {
                    let has_all = left.len() == RESOURCES && unified::has_controllers(unified);
                    if let Some(manager) = has_all.then(|| Manager::find(unified)).flatten() {
                        kind = Home::Wanting(manager);
                    }
                    Some(lack)
                }
            };
            if let Some(lack) = lack {
                left.iter().for_each(|&resource| seats[resource] = Err(lack.clone()));
                // Time is counted in every group, whether or not it can have limits.
                let (dir, controllers) = (unified.own.clone(), Vec::new());
                let parent = Parent { dir, version: Version::V2, controllers };
                if left.contains(&CPU_TIME) {
                    settle(parent, &V2, &[CPU_TIME], &mut seats, &mut parents);
                }
            }
        }
        let [memory, tasks, cpu_time, cpu_rate] = seats;
        Self { parents, memory, tasks, cpu_time, cpu_rate, home: kind }
    }
}

/// Tries `resources` of version 2 under `dir`, as far as it has their controllers.
fn settle_unified(
    dir: PathBuf,
    resources: &[usize],
    seats: &mut [Result<Seat, Lack>; RESOURCES],
    parents: &mut Vec<Parent>,
) -> Result<(), Lack> {
    let controllers = unified::hand_on(&dir)?;
    let has = |&r: &usize| {
        let name = V2[r].controller;
        name.is_empty() || controllers.contains(&name)
    };
    let (resources, lacking) = resources.iter().copied().partition::<Vec<_>, _>(has);
    for resource in lacking {
        seats[resource] = Err(unoffered(&dir, V2[resource].controller));
    }
    let parent = Parent { dir, version: Version::V2, controllers };
    settle(parent, &V2, &resources, seats, parents);
    Ok(())
}

/// The version-1 directories and the resources in each.
fn places(hierarchies: &Hierarchies) -> BTreeMap<PathBuf, Vec<usize>> {
    let mut places: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (resource, trial) in V1.iter().enumerate() {
        if let Some(dir) = hierarchies.v1.get(trial.controller) {
            places.entry(dir.clone()).or_default().push(resource);
        }
    }
    places
}

fn is_unclaimed(resource: usize, hierarchies: &Hierarchies) -> bool {
    !hierarchies.v1.contains_key(V1[resource].controller)
}

/// Tries `resources` under `parent` and seats those that work; the parent is kept if any does.
fn settle(
    parent: Parent,
    trials: &[Trial; RESOURCES],
    resources: &[usize],
    seats: &mut [Result<Seat, Lack>; RESOURCES],
    parents: &mut Vec<Parent>,
) {
    let index = parents.len() as u32;
    let mut used = false;
    match Base::create(std::slice::from_ref(&parent)) {
        Ok(base) => {
            for &resource in resources {
                let tried = base.descriptors().next().map(|dir| trials[resource].run(dir));
                seats[resource] = match tried {
                    Some(Ok(missing)) => {
                        used = true;
                        Ok(Seat { version: parent.version, parent: index, missing })
                    }
                    Some(Err(lack)) => Err(lack),
                    None => continue,
                };
            }
        }
        Err(error) => {
            let lack = blocked(&parent, &error.source);
            resources.iter().for_each(|&resource| seats[resource] = Err(lack.clone()));
        }
    }
    if used {
        parents.push(parent);
    }
}

impl Trial {
    /// Makes a group in `base` and tries; returns which optional files are missing.
    fn run(&self, base: BorrowedFd<'_>) -> Result<Vec<&'static str>, Lack> {
        let failed = |what: &str, error: io::Error| Lack {
            reason: format!("cgroup file {what}: {error}"),
            fix: None,
        };
        const NAME: &str = "probe";
        let child = mkdirat(base, NAME, Mode::from_raw_mode(0o755))
            .map_err(io::Error::from)
            .and_then(|()| files::open_child(base, NAME))
            .map_err(|error| failed("(new group)", error))?;
        let tried = self.try_in(child.as_fd(), failed);
        let removed = remove(base, NAME, child.as_fd(), PATIENCE);
        removed.map_err(|error| failed("(removed group)", error))?;
        tried
    }

    fn try_in(
        &self,
        group: BorrowedFd<'_>,
        failed: impl Fn(&str, io::Error) -> Lack,
    ) -> Result<Vec<&'static str>, Lack> {
        // Beneath a threaded group a new one can hold no process.
        if let Ok(kind) = files::read(group, "cgroup.type")
            && kind.trim_end() != "domain"
        {
            let reason = format!("a new cgroup is of type `{}`", kind.trim_end());
            return Err(Lack { reason, fix: None });
        }
        if let Some((file, value)) = self.limit {
            files::write(group, file, value).map_err(|error| failed(file, error))?;
            let read = files::read(group, file).map_err(|error| failed(file, error))?;
            if read.trim_end() != value {
                let reason = format!("{file} reads `{}` after `{value}`", read.trim_end());
                return Err(Lack { reason, fix: None });
            }
        }
        let missing = |file: &str| rustix::fs::statat(group, file, AT_EMPTY).is_err();
        if let Some(file) = self.needed.iter().copied().find(|file| missing(file)) {
            return Err(Lack { reason: format!("this kernel has no {file}"), fix: None });
        }
        Ok(self.optional.iter().copied().filter(|file| missing(file)).collect())
    }
}

const AT_EMPTY: rustix::fs::AtFlags = rustix::fs::AtFlags::empty();

fn unseen(controller: &str) -> Lack {
    Lack {
        reason: format!(
            "no cgroup hierarchy with the {controller} controller is mounted where this process \
             sees its own group"
        ),
        fix: Some("mount the cgroups: `mount -t cgroup2 none /sys/fs/cgroup`".to_owned()),
    }
}

/// Why a resource cannot be had in a group to which its controller is not handed down.
fn unoffered(dir: &Path, controller: &str) -> Lack {
    let shown = dir.display();
    let missing = || format!("{shown}/cgroup.controllers does not list {controller}");
    let (reason, fix) = match whereabouts(controller) {
        Some(Whereabouts::Off) => (
            missing(),
            format!(
                "boot the kernel without cgroup_disable={controller} (on a Raspberry Pi, with \
                 cgroup_enable={controller})"
            ),
        ),
        Some(Whereabouts::V1) => (
            format!(
                "{controller} is on a hierarchy of cgroup v1, in which this process does not see \
                 its own group"
            ),
            "have that hierarchy mounted where this process sees its own group; in a container: \
             `docker run --cgroupns=host`; or boot the kernel with cgroup_no_v1=all"
                .to_owned(),
        ),
        None => (
            missing(),
            "have the groups above hand the controllers on; with systemd, as root: `mkdir -p \
             /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu memory \
             pids\\n' > /etc/systemd/system/user@.service.d/delegate.conf && systemctl \
             daemon-reload`, then log in again"
                .to_owned(),
        ),
    };
    Lack { reason, fix: Some(fix) }
}

/// Where a controller is that no group of version 2 can have.
#[derive(Debug, PartialEq, Eq)]
enum Whereabouts {
    Off,
    V1,
}

fn whereabouts(controller: &str) -> Option<Whereabouts> {
    parse_whereabouts(&std::fs::read_to_string("/proc/cgroups").unwrap_or_default(), controller)
}

/// Reads `name hierarchy groups enabled`; see cgroups(7).
fn parse_whereabouts(text: &str, controller: &str) -> Option<Whereabouts> {
    text.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        if fields.next() != Some(controller) {
            return None;
        }
        match (fields.next(), fields.nth(1)) {
            (_, Some("0")) => Some(Whereabouts::Off),
            (Some(hierarchy), Some(_)) if hierarchy != "0" => Some(Whereabouts::V1),
            _ => None,
        }
    })
}

fn blocked(parent: &Parent, error: &io::Error) -> Lack {
    let dir = parent.dir.display();
    let fix = match error.raw_os_error() {
        Some(libc::EROFS) => Some(
            "have cgroups mounted writable; in a container: `docker run --privileged`, or `podman \
             run --cgroupns=private --security-opt unmask=/sys/fs/cgroup`; elsewhere, for each that \
             `findmnt -t cgroup,cgroup2` shows as ro: `mount -o remount,rw DIR`"
                .to_owned(),
        ),
        Some(libc::EACCES | libc::EPERM) => Some(hand_over(parent)),
        _ => None,
    };
    Lack { reason: format!("making a cgroup under {dir}: {error}"), fix }
}

/// The command that lets this user make groups. On version 1 one command names every hierarchy, so
/// that all controls have the same fix.
fn hand_over(parent: &Parent) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let shown = |dirs: Vec<&Path>| {
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        format!(
            "run as root, or let this user make groups, as root: `chown {uid} {}`",
            dirs.join(" ")
        )
    };
    match parent.version {
        Version::V1 => {
            let places = places(&Hierarchies::read().unwrap_or_default());
            shown(places.keys().map(PathBuf::as_path).collect())
        }
        Version::V2 => shown(vec![&parent.dir, &parent.dir.join("cgroup.subtree_control")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_told_to_be_off_or_on_version_one() {
        const TEXT: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t9\t1\n\
                            memory\t0\t1\t0\npids\t8\t3\t1\n";
        assert_eq!(parse_whereabouts(TEXT, "cpu"), None);
        assert_eq!(parse_whereabouts(TEXT, "memory"), Some(Whereabouts::Off));
        assert_eq!(parse_whereabouts(TEXT, "pids"), Some(Whereabouts::V1));
        assert_eq!(parse_whereabouts(TEXT, "io"), None);
    }
}
