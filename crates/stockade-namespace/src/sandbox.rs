//! [`NamespaceSandbox`]: the backend, and the wardens it keeps.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockade_core::{Error, ErrorKind, Policy, Prepared, Program, Result, Sandbox, Support};

use crate::cgroup::Base;
use crate::host::{Host, link_error};
use crate::prepare::Blueprint;
use crate::prepared::NamespacePrepared;
use crate::warden::{Census, IdRange, Link};

/// Runs native programs behind Linux namespaces.
///
/// Cheap to share: make one per process and use it from every thread. It keeps one helper
/// process, the warden (a second one once a policy asks for the host's network), which ends when
/// the sandbox and everything prepared from it is dropped, or when the host process ends, however
/// it ends.
///
/// Works as root and as an ordinary user. As root, every run gets user ids of its own and never
/// the host's root.
///
/// ```no_run
/// use stockade_core::{Policy, Program, Sandbox};
/// use stockade_namespace::NamespaceSandbox;
///
/// let sandbox = NamespaceSandbox::new()?;
/// let report = sandbox.run(&Policy::default(), &Program::executable("true"))?;
/// assert!(report.verdict.success());
/// # Ok::<(), stockade_core::Error>(())
/// ```
#[derive(Debug)]
pub struct NamespaceSandbox {
    wardens: Arc<Wardens>,
    support: Support,
}

/// What a sandbox and everything prepared from it share.
#[derive(Debug)]
pub(crate) struct Wardens {
    host: Host,
    landlock_abi: u64,
    alone: Mutex<Option<Arc<Link>>>,
    with_host_network: Mutex<Option<Arc<Link>>>,
}

impl NamespaceSandbox {
    /// Finds out what the host offers and launches the warden.
    ///
    /// # Errors
    /// `Unsupported` when this process may not make namespaces here (the hint says what refuses
    /// them), `Setup` when the warden cannot be launched.
    pub fn new() -> Result<Self> {
        let host = Host::look();
        let link = open(&host, false)?;
        let landlock_abi = link.landlock_abi;
        let support = host.support(landlock_abi);
        let wardens = Wardens {
            host,
            landlock_abi,
            alone: Mutex::new(Some(Arc::new(link))),
            with_host_network: Mutex::new(None),
        };
        Ok(Self { wardens: Arc::new(wardens), support })
    }

    /// Counts what the warden has alive. For diagnosis: after the last run has ended, `runs` falls
    /// to zero as soon as the kernel has taken the last namespaces down.
    ///
    /// # Errors
    /// `HostLost` when the warden is gone.
    pub fn census(&self) -> Result<Census> {
        self.wardens.link(false)?.census().map_err(link_error)
    }

    /// Process id of the warden.
    ///
    /// # Errors
    /// `Setup` when a warden has to be launched and cannot be.
    pub fn warden_id(&self) -> Result<u32> {
        Ok(self.wardens.link(false)?.pid)
    }
}

impl Sandbox for NamespaceSandbox {
    fn support(&self) -> &Support {
        &self.support
    }

    fn prepare(&self, policy: &Policy, program: &Program) -> Result<Box<dyn Prepared>> {
        let begun = Instant::now();
        let wardens = &self.wardens;
        let blueprint =
            Blueprint::draw(&wardens.host, &self.support, wardens.landlock_abi, policy, program)?;
        let prepared = NamespacePrepared::new(Arc::clone(wardens), blueprint, begun)?;
        Ok(Box::new(prepared))
    }
}

impl Wardens {
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
    Link::open(host.ids, host_network, base).map_err(link_error)
}

impl Host {
    /// Whether workloads have no id but the caller's.
    pub(crate) fn single_id(&self) -> bool {
        self.ids == IdRange::Single
    }
}
