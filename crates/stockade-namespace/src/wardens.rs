//! [`Wardens`]: the helper processes of one sandbox object, launched when needed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockade_core::{Error, ErrorKind, Result};

use crate::cgroup::{self, Base, Cgroups, Home, Lack, Manager, Scope, Unit};
use crate::host::{Host, link_error};
use crate::warden::{Link, Newborn};

/// What a sandbox and everything prepared from it share.
#[derive(Debug)]
pub(crate) struct Wardens {
    pub(crate) host: Host,
    /// Newest Landlock ABI of the kernel; zero where there is none.
    pub(crate) landlock_abi: u64,
    /// Whether sandboxes can have no `/proc` here.
    pub(crate) no_proc: bool,
    alone: Mutex<Option<Arc<Link>>>,
    with_host_network: Mutex<Option<Arc<Link>>>,
}

impl Wardens {
    /// Launches the warden for runs without the host's network; in a scope of the service manager
    /// where that is what cgroups are wanting.
    pub(crate) fn new(mut host: Host) -> Result<Self> {
        let mut scoped = None;
        if let Home::Wanting(manager) = host.cgroups.home.clone() {
            match in_scope(&host, &manager, false) {
                Ok((link, cgroups)) => {
                    host.cgroups = cgroups;
                    scoped = Some(link);
                }
                Err(refusal) => host.cgroups.refuse_scope(&refusal),
            }
        }
        let link = scoped.map_or_else(|| open(&host, false), Ok)?;
        Ok(Self {
            landlock_abi: if host.left_out.landlock { 0 } else { link.landlock_abi },
            host,
            no_proc: link.no_proc,
            alone: Mutex::new(Some(Arc::new(link))),
            with_host_network: Mutex::new(None),
        })
    }

    /// A living warden; a new one if the last is gone.
    pub(crate) fn link(&self, host_network: bool) -> Result<Arc<Link>> {
        let place = if host_network { &self.with_host_network } else { &self.alone };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = place.as_ref().filter(|link| !link.is_lost()) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(open(&self.host, host_network)?);
        *place = Some(Arc::clone(&link));
        Ok(link)
    }
}

fn open(host: &Host, host_network: bool) -> Result<Link> {
    if let Home::Scope(manager) = &host.cgroups.home {
        return in_another_scope(host, manager, host_network);
    }
    // First of all, so that a host which is killed in between leaves no directory that no warden knows.
    let warden = Newborn::launch().map_err(link_error)?;
    let base = match host.cgroups.parents.as_slice() {
        [] => None,
        parents => {
            let base = Base::create(parents).map_err(|error| {
                Error::new(ErrorKind::Setup, error)
                    .with_hint("`stockade doctor` shows which cgroups can be used")
            })?;
            Some(base)
        }
    };
    let bound = host.memory_group.as_deref().and_then(cgroup::directory);
    warden.settle(host.next_ids(), host_network, base, bound.as_ref()).map_err(link_error)
}

/// Launches a warden in a scope of the service manager, and finds out what cgroups can do there.
/// The host itself stays where it is.
fn in_scope(host: &Host, manager: &Manager, host_network: bool) -> Result<(Link, Cgroups), Lack> {
    let deadline = Instant::now() + manager.patience;
    let unit = Unit::new().map_err(|error| lack(&error))?;
    let warden = Newborn::launch_by(manager.command(&unit), deadline).map_err(|e| lack(&e))?;
    // Whatever has this number from here to its next answer is the warden: it has answered twice.
    let process = warden.join(None, deadline).map_err(|error| lack(&error))?;
    let scope = Scope::find(manager, &unit, process)?;
    warden.join(Some(scope.door()), deadline).map_err(|error| lack(&error))?;
    let cgroups = Cgroups::probe_scope(&scope);
    let base = Base::create(&cgroups.parents).map_err(|error| lack(&error))?;
    let bound = cgroup::directory(scope.dir());
    let link = warden.settle(host.next_ids(), host_network, Some(base), bound.as_ref());
    Ok((link.map_err(|error| lack(&error))?, cgroups))
}

/// The same for a later warden: plans were made for what the first one had.
fn in_another_scope(host: &Host, manager: &Manager, host_network: bool) -> Result<Link> {
    let failed = |lack| {
        Error::new(ErrorKind::Setup, lack)
            .with_hint("make a new sandbox; `stockade doctor` shows which cgroups can be used now")
    };
    let (link, cgroups) = in_scope(host, manager, host_network).map_err(failed)?;
    if host.cgroups.holds_in(&cgroups) {
        return Ok(link);
    }
    let reason = "a new scope of the service manager has less than the one before".to_owned();
    Err(failed(Lack { reason, fix: None }))
}

/// An error with its causes, as a reason.
fn lack(error: &dyn std::error::Error) -> Lack {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        reason = format!("{reason}: {error}");
        source = error.source();
    }
    Lack { reason, fix: None }
}

#[cfg(test)]
mod tests;
