//! Where base directories go on the version-2 hierarchy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::detect::Unified;
use super::{Lack, files};

/// Controllers that are of use.
pub(super) const WANTED: [&str; 3] = ["memory", "pids", "cpu"];

/// Why base directories go nowhere.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The caller has no group of its own to give limits in, which a service manager could change.
    Undelegated(Lack),
    /// Anything else.
    Other(Lack),
}

/// Finds the cgroup whose children can have limits.
///
/// A cgroup with processes in it hands on nothing ("no internal processes", cgroups(7)), and the
/// caller's own has at least the caller in it, unless it is the root, which is exempt. So base
/// directories go beside the caller's cgroup, provided that the one above was delegated to it:
/// then all that bounds the caller still bounds them.
///
/// # Errors
/// Why there is no such cgroup.
pub(super) fn home(unified: &Unified) -> Result<PathBuf, Refusal> {
    let own = &unified.own;
    if is_root(own) {
        return Ok(own.to_owned());
    }
    let above = own.parent().filter(|_| *own != unified.mount);
    let delegated = |above: &&Path| *above == unified.mount || is_delegated(above);
    let above = above.filter(|above| !is_root(above)).filter(delegated);
    let above = above.ok_or_else(|| Refusal::Undelegated(undelegated(unified)))?;
    if !is_unlimited(own) {
        return Err(Refusal::Other(evading(own)));
    }
    Ok(above.to_owned())
}

/// Makes a cgroup hand on its controllers, which are returned.
///
/// # Errors
/// Why it does not.
pub(super) fn hand_on(home: &Path) -> Result<Vec<&'static str>, Lack> {
    let offered = list(home, "cgroup.controllers");
    let mut controllers = WANTED.to_vec();
    controllers.retain(|name| offered.iter().any(|offer| offer == name));
    let enabled = list(home, "cgroup.subtree_control");
    let missing: Vec<&str> =
        controllers.iter().copied().filter(|name| !enabled.iter().any(|e| e == name)).collect();
    if !missing.is_empty() {
        let enable = format!("+{}", missing.join(" +"));
        files::open_directory(home)
            .and_then(|dir| files::write(dir, "cgroup.subtree_control", &enable))
            .map_err(|error| refused(home, &enable, &error))?;
    }
    Ok(controllers)
}

/// Whether the hierarchy, as far as it is seen, has all that is needed.
pub(super) fn has_controllers(unified: &Unified) -> bool {
    let offered = list(&unified.mount, "cgroup.controllers");
    WANTED.iter().all(|name| offered.iter().any(|offer| offer == name))
}

/// The names in a file that holds a list.
pub(super) fn list(dir: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Only the root of the whole hierarchy has no `cgroup.type`; that of a cgroup namespace does.
fn is_root(dir: &Path) -> bool {
    !files::exists(dir, "cgroup.type")
}

/// Whether systemd marks the cgroup as left to its user; see systemd.exec(5) and the page
/// "Control Group APIs and Delegation".
fn is_delegated(dir: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 1];
        matches!(rustix::fs::getxattr(dir, *name, &mut value[..]), Ok(1)) && value == *b"1"
    })
}

/// Whether a cgroup beside this one is bound by all that bounds this one.
fn is_unlimited(dir: &Path) -> bool {
    ["memory.max", "pids.max", "cpu.max"].iter().all(|file| {
        let value = fs::read_to_string(dir.join(file));
        value.map_or(true, |value| value.starts_with("max"))
    })
}

fn evading(own: &Path) -> Lack {
    let own = own.display();
    Lack {
        reason: format!("a group beside {own} would evade the limits that are set on {own} alone"),
        fix: Some(format!("set the limits of {own} on the group above it")),
    }
}

fn undelegated(unified: &Unified) -> Lack {
    let own = unified.own.display();
    let fix = if unified.own == unified.mount {
        format!(
            "move the container's processes into a group of their own before the program starts: \
             `mkdir {own}/main && for p in $(cat {own}/cgroup.procs); do echo $p > \
             {own}/main/cgroup.procs; done`"
        )
    } else {
        let user = if rustix::process::geteuid().is_root() { "" } else { "--user " };
        format!(
            "start the program in a delegated subgroup, with systemd 254 or later: `systemd-run \
             {user}--pty -p Delegate=yes -p DelegateSubgroup=main PROGRAM`"
        )
    };
    Lack {
        reason: format!(
            "cgroup v2 gives limits only beneath a group without processes, {own} holds this \
             process, and the group above it is not delegated to it"
        ),
        fix: Some(fix),
    }
}

fn refused(home: &Path, enable: &str, error: &io::Error) -> Lack {
    let shown = home.display();
    let fix = match error.raw_os_error() {
        Some(libc::EBUSY) => {
            format!("move the processes listed in {shown}/cgroup.procs into a child")
        }
        Some(libc::EROFS) => format!("mount {shown} writable"),
        _ => format!("give this user write access to {shown}"),
    };
    Lack {
        reason: format!("writing {enable} to {shown}/cgroup.subtree_control: {error}"),
        fix: Some(fix),
    }
}
