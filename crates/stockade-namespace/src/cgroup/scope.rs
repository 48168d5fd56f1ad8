//! A scope of the service manager: a delegated group for the warden of a caller that has none to
//! give limits in.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Mode, mkdirat};

use super::detect::{Hierarchies, Unified};
use super::name::Name;
use super::unified::WANTED;
use super::{Lack, files};

/// Asks the service manager for a scope, then executes a program in its own place.
const LAUNCHER: &str = "/usr/bin/systemd-run";

/// How long the manager may take. An emulated machine takes up to two seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The group beneath the scope that the warden goes to, so that the scope can hand on controllers.
const LEAF: &str = "main";

/// A systemd that this process may ask for a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manager {
    launcher: PathBuf,
    /// The runtime directory of the user whose manager it is; `None` for the system's.
    runtime: Option<OsString>,
    /// Whether the caller is in a slice of this manager, beside which the scope goes.
    inherit: bool,
    /// Where the caller is.
    pub(super) caller: Unified,
    /// How long it may take until a warden has found its place.
    pub(crate) patience: Duration,
}

/// The name of a scope, as the service manager and its directory have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit(String);

impl Manager {
    /// Looks for the caller's own: the system's for root, and for everybody else the user's. Asks
    /// nothing.
    pub(super) fn find(unified: &Unified) -> Option<Self> {
        let user = rustix::process::geteuid();
        let (launcher, caller, patience) = (LAUNCHER.into(), unified.clone(), PATIENCE);
        let manager = if user.is_root() {
            Self { launcher, runtime: None, inherit: true, caller, patience }
        } else {
            let runtime = env::var_os("XDG_RUNTIME_DIR")
                .unwrap_or_else(|| format!("/run/user/{}", user.as_raw()).into());
            let service = format!("user@{}.service", user.as_raw());
            let inherit = unified.own.components().any(|part| *part.as_os_str() == *service);
            Self { launcher, runtime: Some(runtime), inherit, caller, patience }
        };
        let socket = Path::new(manager.runtime.as_deref().unwrap_or("/run".as_ref()));
        let listens = fs::metadata(socket.join("systemd/private"))
            .is_ok_and(|file| file.file_type().is_socket() && file.uid() == user.as_raw());
        (listens && manager.launcher.is_file()).then_some(manager)
    }

    /// A command that, given a program as its last argument, becomes that program in a new scope.
    /// Its process, descriptors, limits and namespaces stay what they are.
    pub(crate) fn command(&self, unit: &Unit) -> Command {
        let mut command = Command::new(&self.launcher);
        command.env_clear().args(["--scope", "--collect", "--no-ask-password"]);
        if let Some(runtime) = &self.runtime {
            command.arg("--user").env("XDG_RUNTIME_DIR", runtime);
        }
        if self.inherit {
            command.arg("--slice-inherit");
        }
        command
            .arg(format!("--unit={}", unit.0))
            .arg(format!("--property=Delegate={}", WANTED.join(" ")))
            .args(["--description=Stockade's helper and its sandboxes", "--"]);
        command
    }
}

impl Unit {
    /// A new name.
    ///
    /// # Errors
    /// If `/proc` does not tell when this process started.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(format!("{}.scope", Name::new()?)))
    }
}

/// A scope that has a warden in it and nothing else.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(super) manager: Manager,
    pub(super) dir: PathBuf,
    door: OwnedFd,
}

impl Scope {
    /// Finds the scope `unit` by the `process` in it and makes room for that process beneath it.
    ///
    /// # Errors
    /// Why the scope is of no use.
    pub(crate) fn find(manager: &Manager, unit: &Unit, process: u32) -> Result<Self, Lack> {
        let failed = |what: &str, error: &io::Error| Lack {
            reason: format!("{what} of {}: {error}", unit.0),
            fix: None,
        };
        let found = Hierarchies::of(&process.to_string())
            .map_err(|error| failed("looking for the group", &error))?;
        let dir = found.v2.map(|there| there.own).filter(|dir| dir.ends_with(&unit.0));
        let dir = dir.ok_or_else(|| Lack {
            reason: format!("the helper is not in {}", unit.0),
            fix: None,
        })?;
        if let Some(lack) = evading(&manager.caller.own, &dir) {
            return Err(lack);
        }
        let make = || -> io::Result<OwnedFd> {
            let scope = files::open_directory(&dir)?;
            mkdirat(&scope, LEAF, Mode::from_raw_mode(0o755))?;
            files::open_for_writing(files::open_child(&scope, LEAF)?, "cgroup.procs")
        };
        let door = make().map_err(|error| failed("making a group beneath that", &error))?;
        Ok(Self { manager: manager.clone(), dir, door })
    }

    /// The group that all of the warden's are in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a process that is to go to the leaf beneath the scope writes `0` to.
    pub(crate) fn door(&self) -> BorrowedFd<'_> {
        self.door.as_fd()
    }
}

/// Why limits that bind the group `own` would not bind one in `scope`, if there are such limits.
///
/// Groups above both bind both. Of those that are above one of them, the caller's may be no tighter
/// than the scope's. Both may have the same limit without anybody's asking for it: a service
/// manager sets `pids.max` on every unit (`DefaultTasksMax=`).
fn evading(own: &Path, scope: &Path) -> Option<Lack> {
    let common = own.ancestors().find(|above| scope.starts_with(above))?;
    let bounds = |dir: &Path, file: &'static str| {
        let dirs = dir.ancestors().take_while(|above| *above != common);
        dirs.map(|dir| (bound(dir, file), dir.to_owned())).min()
    };
    ["memory.max", "pids.max", "cpu.max"].into_iter().find_map(|file| {
        let (limit, group) = bounds(own, file)?;
        let there = bounds(scope, file).map_or(u64::MAX, |(limit, _)| limit);
        (limit < there).then(|| Lack {
            reason: format!(
                "a scope beside {} would evade {file}, which is set on {}",
                own.display(),
                group.display()
            ),
            fix: Some(format!("set the limits of {} on {}", group.display(), common.display())),
        })
    })
}

/// The limit in a file of a group, in millionths of a core for `cpu.max`; the largest number for
/// none, and for what is no limit, zero.
fn bound(dir: &Path, file: &str) -> u64 {
    let Ok(text) = fs::read_to_string(dir.join(file)) else { return u64::MAX };
    let mut words = text.split_whitespace();
    let limit = words.next().filter(|limit| *limit != "max");
    let number = |word: &str| word.parse::<u64>().ok();
    match (limit, words.next()) {
        (None, _) => Some(u64::MAX),
        (Some(quota), Some(period)) => number(quota)
            .zip(number(period))
            .and_then(|(quota, period)| quota.saturating_mul(1_000_000).checked_div(period)),
        (Some(limit), None) => number(limit),
    }
    .unwrap_or(0)
}

#[cfg(test)]
impl Manager {
    /// One whose launcher is another program, and whose caller is in `own`.
    pub(crate) fn pretend(launcher: PathBuf, own: PathBuf) -> Self {
        let caller = Unified { mount: own.clone(), own };
        Self { launcher, runtime: None, inherit: false, caller, patience: Duration::from_secs(2) }
    }
}

#[cfg(test)]
mod tests;
