//! A mount of type `cgroup`: the control groups as the container may see them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Step;
use super::detached::{self, Detached, Filesystem};
use super::options::{Change, NODEV, NOEXEC, NOSUID, RDONLY, Reach};
use super::place::{Planned, Site};
use super::tree::{Leaf, lookup};
use crate::failure::{Context, Outcome};

const UNIFIED_MAGIC: fs::FsWord = 0x6367_7270;

/// Mounts the unified hierarchy where the host has only that one or it was asked for by name, and
/// else all others, side by side.
pub(super) fn place(planned: &Planned<'_>, site: &Site<'_>) -> Step<OwnedFd> {
    let groups = site.situation.cgroup_mounts;
    let unified = groups.iter().find(|(name, _)| name.is_empty());
    let target = site.tree.make(&planned.destination, Leaf::Directory)?;
    if unified.is_some() || planned.kind == "cgroup2" {
        let group = unified.map(|(_, group)| group.as_path());
        let mut mount = hierarchy("cgroup2", vec![], group, planned.options.this, site)?;
        if group.is_none() {
            // The options of the filesystem itself, which a group that is shown has already.
            mount.change(planned.options.this, Reach::One)?;
        }
        return Ok(planned.settle(mount, target.as_fd())?);
    }
    let shell = Filesystem {
        kind: "tmpfs",
        source: "tmpfs",
        data: vec![("mode", Some("755"))],
        attributes: NOSUID | NODEV | NOEXEC,
    };
    let shell = planned.settle(Detached::filesystem(&shell, &site.stage)?, target.as_fd())?;
    for (name, group) in groups {
        one(planned, site, &shell, name, group)
            .context(|| format!("showing the control groups of {name:?}"))?;
    }
    if planned.options.this.set & RDONLY != 0 {
        detached::change(&shell, Change::set(RDONLY))?;
    }
    Ok(shell)
}

/// One hierarchy, by the names it has on the host.
fn one(
    planned: &Planned<'_>,
    site: &Site<'_>,
    shell: &OwnedFd,
    name: &str,
    group: &Path,
) -> Step<()> {
    fs::mkdirat(shell, name, Mode::from_raw_mode(0o755))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let target = lookup(shell.as_fd(), name, flags, ResolveFlags::NO_SYMLINKS)?;
    let is_unified = fs::statfs(group).is_ok_and(|found| found.f_type == UNIFIED_MAGIC);
    let (kind, data) = match name {
        _ if is_unified => ("cgroup2", vec![]),
        "systemd" => ("cgroup", vec![("name", Some(name))]),
        _ => ("cgroup", name.split(',').map(|controller| (controller, None)).collect()),
    };
    hierarchy(kind, data, Some(group), planned.options.this, site)?.attach(&target)?;
    for alias in name.split(',').filter(|alias| *alias != name) {
        match fs::symlinkat(name, shell, alias) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A mount of a hierarchy that begins at the container's group: by its namespace, or else by
/// showing that group.
fn hierarchy(
    kind: &str,
    data: Vec<(&str, Option<&str>)>,
    group: Option<&Path>,
    asked: Change,
    site: &Site<'_>,
) -> Outcome<Detached> {
    let attributes = NOSUID | NODEV | NOEXEC | (asked.set & RDONLY);
    if site.situation.cgroup_namespace || group.is_none() {
        let new = Filesystem { kind, source: "cgroup", data, attributes };
        let made = Detached::filesystem(&new, &site.stage);
        // A user namespace that does not own the cgroup namespace may still be shown the group.
        if made.is_ok() || group.is_none() {
            return made;
        }
    }
    let group = group.unwrap_or(Path::new(""));
    let mut mount = Detached::copy(CWD, group, Reach::Tree)
        .context(|| format!("open the control group {group:?}"))?;
    mount.change(Change::set(attributes), Reach::One)?;
    Ok(mount)
}
