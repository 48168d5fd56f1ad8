//! Making the groups.

use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use oci_spec::runtime::LinuxResources;
use rustix::fs::OFlags;

use super::dir::{Dir, Version, write_once};
use super::limits::Seats;
use super::{Cgroup, Group, devices, freezer, in_user_namespace, walk};
use crate::failure::{Context, Failure, Outcome};
use crate::sys::bpf;

impl Cgroup {
    /// Makes the groups and sets every limit, before any process is inside. With systemd that is done
    /// when the first process enters, since a unit needs one.
    ///
    /// # Errors
    /// If a group has processes already, a limit is not taken, or what the kernel says. Nothing is left
    /// of it then.
    pub(crate) fn create(&mut self, resources: Option<&LinuxResources>) -> Outcome<()> {
        let resources = resources.cloned().unwrap_or_default();
        // With no group at all, whatever is asked for fails.
        self.limited = Seats::new(Vec::new(), self.alone).limit(&resources).is_err();
        if let Some(scope) = &self.scope {
            let path = scope.path()?;
            self.groups.iter_mut().for_each(|group| group.path.clone_from(&path));
            self.pending = Some(resources);
            self.made = true;
            return Ok(());
        }
        let planned = self.groups.clone();
        let mut new = Vec::new();
        let made = self.make(&resources, &mut new).and_then(|seats| self.set(&seats, &resources));
        if made.is_err() {
            undo(&new);
            self.groups = planned;
        } else {
            self.made = true;
        }
        made
    }

    /// Sets limits and devices of groups that are there.
    pub(super) fn set(&self, seats: &Seats, resources: &LinuxResources) -> Outcome<()> {
        seats.limit(resources)?;
        let rules = devices::rules(resources.devices().as_ref())?;
        match set_devices(seats, &rules) {
            // Whoever is not root of the host may not; the kernel still checks who owns a device.
            Err(_) if self.rootless || in_user_namespace() => Ok(()),
            set => set,
        }
    }

    /// Makes the groups. What was not there before is put into `new`, for the case that it is to be
    /// undone. Groups that cannot be had but need not be are dropped.
    fn make(&mut self, resources: &LinuxResources, new: &mut Vec<Group>) -> Outcome<Seats> {
        let mut dirs = Vec::with_capacity(self.groups.len());
        let mut kept = Vec::with_capacity(self.groups.len());
        for group in std::mem::take(&mut self.groups) {
            let before = new.len();
            let hand_on = self.alone || resources.hugepage_limits().is_some();
            match group.make(resources, hand_on, new) {
                Ok((dir, fresh)) => {
                    if !fresh {
                        group.reuse(&dir, self.alone)?;
                    }
                    dirs.push((group.controllers.clone(), group.version, dir));
                    kept.push(group);
                }
                Err(error) if self.can_lack(&group, &error) => {
                    undo(&new[before..]);
                    new.truncate(before);
                }
                Err(error) => {
                    return Err(error).context(|| format!("creating {}", group.shown()));
                }
            }
        }
        self.groups = kept;
        if self.groups.is_empty() && !self.rootless {
            return Err(Failure::new("no control groups are mounted"));
        }
        Ok(Seats::new(dirs, self.alone))
    }

    /// Whether the container can do without a group: one that limits nothing, or any when a user who
    /// may not make them has not asked for a place. Limits that then cannot be set are errors still.
    pub(super) fn can_lack(&self, group: &Group, error: &io::Error) -> bool {
        let limits = self.alone
            || group.version == Version::V1
                && !group.controllers.iter().any(|name| name.starts_with("name="));
        !limits || self.forgives(error)
    }

    /// Whether an error only says that a user without a place of his own may not.
    pub(super) fn forgives(&self, error: &io::Error) -> bool {
        self.rootless && !self.explicit && is_forbidden(error)
    }

    /// Makes what a manager of units does not, once it has started one.
    pub(super) fn make_for_scope(&self, resources: &LinuxResources) -> Outcome<Seats> {
        let mut dirs = Vec::with_capacity(self.groups.len());
        let mut new = Vec::new();
        for group in &self.groups {
            match group.make(resources, self.alone, &mut new) {
                Ok((dir, _)) => dirs.push((group.controllers.clone(), group.version, dir)),
                Err(error) if self.can_lack(group, &error) => {}
                Err(error) => {
                    undo(&new);
                    return Err(error).context(|| format!("creating {}", group.shown()));
                }
            }
        }
        Ok(Seats::new(dirs, self.alone))
    }
}

/// Whether an error is for want of rights.
pub(super) fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Removes groups that are empty, the last made first.
fn undo(new: &[Group]) {
    for group in new.iter().rev() {
        let _ = group.unmake();
    }
}

impl Group {
    /// Makes the group and those above it; it, opened, and whether it is new.
    fn make(
        &self,
        resources: &LinuxResources,
        hand_on: bool,
        new: &mut Vec<Self>,
    ) -> io::Result<(Dir, bool)> {
        let mut here = self.mount()?;
        let mut fresh = false;
        let mut path = String::new();
        for part in self.path.split('/') {
            if self.version == Version::V2 && hand_on {
                hand_on_controllers(&here);
            }
            let name = CString::new(part)?;
            path = if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
            fresh = here.make(&name)?;
            if fresh {
                new.push(Self { path: path.clone(), ..self.clone() });
            }
            let child = here.child(&name)?;
            if self.has("cpuset") {
                inherit(&here, &child, (path == self.path).then_some(resources))?;
            }
            here = child;
        }
        Ok((here, fresh))
    }

    /// Takes a group that was there before.
    ///
    /// # Errors
    /// If it is another's: to pause or to remove the container would hit what is in it.
    fn reuse(&self, dir: &Dir, alone: bool) -> Outcome<()> {
        let shown = || format!("looking into {}", self.shown());
        let inside = dir.below("").and_then(walk::all_members).context(shown)?;
        if !inside.is_empty() {
            return Err(Failure::new(format!(
                "container's cgroup is not empty: {} process(es) found in {}",
                inside.len(),
                self.shown()
            )));
        }
        if freezer::can(dir) && freezer::is_frozen(dir) {
            let what = format!("container's cgroup unexpectedly frozen: {}", self.shown());
            return Err(Failure::new(what));
        }
        // Sub-groups of a container before, whose runtime was killed, would keep rules for devices from
        // being set.
        dir.below("").and_then(walk::prune).context(shown)?;
        // A program of such a container would have to agree with ours.
        // Who may not take it away may not attach one either.
        if alone {
            let _ = bpf::detach_device_programs(dir.as_fd());
        }
        Ok(())
    }
}

/// Has a group of version 2 hand on all it has. What it does not hand on fails where it is asked for.
///
/// One with processes hands on nothing that counts memory or blocks, and says `EBUSY`. It is not asked
/// for the rest then: that would make it and all below threaded, which cannot be undone.
fn hand_on_controllers(dir: &Dir) {
    let list = |file: &str| dir.read(file).unwrap_or_default();
    let (offered, enabled) = (list("cgroup.controllers"), list("cgroup.subtree_control"));
    let is_enabled = |name: &&str| enabled.split_whitespace().any(|one| one == *name);
    let missing: Vec<String> = offered
        .split_whitespace()
        .filter(|name| !is_enabled(name))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return;
    }
    match dir.write("cgroup.subtree_control", &missing.join(" ")) {
        Err(error) if error.raw_os_error() != Some(libc::EBUSY) => {
            for one in &missing {
                let _ = dir.write("cgroup.subtree_control", one);
            }
        }
        _ => {}
    }
}

/// A group of cpuset on version 1 starts without processors and memory, and takes no process until it
/// has some. What the config names for the container's own is set later.
fn inherit(above: &Dir, dir: &Dir, own: Option<&LinuxResources>) -> io::Result<()> {
    let cpu = own.and_then(|resources| resources.cpu().as_ref());
    for (file, named) in [
        ("cpuset.cpus", cpu.and_then(|cpu| cpu.cpus().as_deref())),
        ("cpuset.mems", cpu.and_then(|cpu| cpu.mems().as_deref())),
    ] {
        let named = named.is_some_and(|list| !list.is_empty());
        if !named && dir.read(file)?.trim().is_empty() {
            dir.write(file, above.read(file)?.trim())?;
        }
    }
    Ok(())
}

fn set_devices(seats: &Seats, rules: &[devices::Rule]) -> Outcome<()> {
    if seats.alone {
        // No program is the same as one that says yes.
        return match seats.dirs.first() {
            Some((_, _, dir)) if !devices::allow_all(rules) => attach(dir, rules),
            Some(_) => Ok(()),
            None => Err(Failure::new("no control group to limit devices in")),
        };
    }
    let list = devices::List::new(rules)?;
    let seat = seats.seat("devices");
    let missing = || Failure::new("no control group has the controller `devices`");
    let dir = seat.dir().ok_or_else(missing)?;
    let mut files = Vec::new();
    for (file, line) in list.lines() {
        let shown = || format!("writing `{line}` to {file} of {}", dir.shown.display());
        if !files.iter().any(|(name, _)| *name == file) {
            files.push((file, dir.open(file, OFlags::WRONLY).context(shown)?));
        }
        let opened = files.iter().find(|(name, _)| *name == file);
        let (_, opened) = opened.ok_or_else(missing)?;
        write_patiently(opened.as_fd(), &line).context(shown)?;
    }
    Ok(())
}

/// Writes a line. Sub-groups that were just removed count for a moment still, and with any the kernel
/// takes no default: `EINVAL`.
fn write_patiently(file: BorrowedFd<'_>, line: &str) -> io::Result<()> {
    for _ in 0..100 {
        match write_once(file, line) {
            Err(error) if line == "a" && error.raw_os_error() == Some(libc::EINVAL) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
    write_once(file, line)
}

fn attach(dir: &Dir, rules: &[devices::Rule]) -> Outcome<()> {
    let program = bpf::load_device_program(&devices::program(rules))
        .context(|| "loading the program that decides on devices".into())?;
    bpf::attach_device_program(dir.as_fd(), program.as_fd()).context(|| {
        format!("attaching the program that decides on devices to {}", dir.shown.display())
    })
}
