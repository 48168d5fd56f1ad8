//! [`NamespacePrepared`]: a plan in a warden's hands, started again and again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockade_core::{Error, ErrorKind, Execution, Plan, Prepared, Result, Stdio};

use crate::execution::{Birth, NamespaceExecution};
use crate::host::link_error;
use crate::limits::nanos;
use crate::prepare::Blueprint;
use crate::sandbox::Wardens;
use crate::streams::{self, Ends};
use crate::warden::{Link, LinkError};

/// What a prepared program and its runs share.
#[derive(Debug)]
pub(crate) struct NamespacePrepared {
    wardens: Arc<Wardens>,
    blueprint: Arc<Blueprint>,
    prepare_ns: u64,
    registration: Mutex<Arc<Registration>>,
}

/// The numbers of a plan and its root in one warden; given back when nobody uses them any more.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) link: Arc<Link>,
    root: usize,
    plan: usize,
}

impl Registration {
    fn new(link: Arc<Link>, blueprint: &Blueprint) -> std::result::Result<Self, LinkError> {
        let recipe = &blueprint.recipe;
        let root = link.root(recipe, |item| crate::rootfs::describe(recipe, item))?;
        match link.plan(&blueprint.wire(root)) {
            Ok(plan) => Ok(Self { link, root, plan }),
            Err(error) => {
                link.release_root(root);
                Err(error)
            }
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.link.release_plan(self.plan);
        self.link.release_root(self.root);
    }
}

impl NamespacePrepared {
    pub(crate) fn new(wardens: Arc<Wardens>, blueprint: Blueprint, begun: Instant) -> Result<Self> {
        let registration = register(&wardens, &blueprint)?;
        Ok(Self {
            wardens,
            blueprint: Arc::new(blueprint),
            prepare_ns: nanos(begun.elapsed()),
            registration: Mutex::new(Arc::new(registration)),
        })
    }

    /// A registration in a living warden.
    fn registration(&self) -> Result<Arc<Registration>> {
        let mut place = self.registration.lock().unwrap_or_else(PoisonError::into_inner);
        if place.link.is_lost() {
            *place = Arc::new(register(&self.wardens, &self.blueprint)?);
        }
        Ok(Arc::clone(&place))
    }
}

/// Hands the plan to a living warden; once more if that one turns out to be gone.
fn register(wardens: &Wardens, blueprint: &Blueprint) -> Result<Registration> {
    let network = blueprint.host_network();
    match Registration::new(wardens.link(network)?, blueprint) {
        Err(LinkError::Lost) => Registration::new(wardens.link(network)?, blueprint),
        other => other,
    }
    .map_err(link_error)
}

impl Prepared for NamespacePrepared {
    fn plan(&self) -> &Plan {
        &self.blueprint.plan
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let begun = streams::now();
        let (ends, guest) = Ends::open(&stdio.stdin).map_err(|errno| {
            Error::new(ErrorKind::Io, std::io::Error::from(errno))
                .with_hint("making the streams failed; is the limit of open files reached?")
        })?;
        let mut registration = self.registration()?;
        if let Err(error) = registration.link.start(registration.plan, &guest.all(&ends)) {
            if !matches!(error, LinkError::Lost) {
                return Err(link_error(error));
            }
            registration = self.registration()?;
            registration.link.start(registration.plan, &guest.all(&ends)).map_err(link_error)?;
        }
        drop(guest);
        let blueprint = Arc::clone(&self.blueprint);
        let birth = Birth { begun, prepare_ns: self.prepare_ns };
        Ok(Box::new(NamespaceExecution::new(registration, blueprint, stdio, ends, birth)))
    }
}
