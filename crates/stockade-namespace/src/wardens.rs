//! [`Wardens`]: the helper processes of one sandbox object, launched when needed.

use std::sync::{Arc, Mutex, PoisonError};

use stockade_core::{Error, ErrorKind, Result};

use crate::cgroup::Base;
use crate::host::{Host, link_error};
use crate::warden::Link;

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
    /// Launches the warden for runs without the host's network.
    pub(crate) fn new(host: Host) -> Result<Self> {
        let link = open(&host, false)?;
        Ok(Self {
            host,
            landlock_abi: link.landlock_abi,
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
    Link::open(host.next_ids(), host_network, base).map_err(link_error)
}
