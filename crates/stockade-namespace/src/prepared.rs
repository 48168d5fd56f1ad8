//! [`NamespacePrepared`]: a plan in a warden's hands, started again and again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockade_core::{Error, ErrorKind, Execution, Plan, Prepared, Result, Stdio};

use crate::execution::NamespaceExecution;
use crate::host::link_error;
use crate::limits::nanos;
use crate::outcome::Birth;
use crate::prepare::Blueprint;
use crate::registration::{Registration, register};
use crate::streams::{self, Ends};
use crate::warden::LinkError;
use crate::wardens::Wardens;

/// What a prepared program and its runs share.
#[derive(Debug)]
pub(crate) struct NamespacePrepared {
    wardens: Arc<Wardens>,
    blueprint: Arc<Blueprint>,
    prepare_ns: u64,
    registration: Mutex<Arc<Registration>>,
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
        if let Err(error) = registration.start(&guest.all(&ends)) {
            if !matches!(error, LinkError::Lost) {
                return Err(link_error(error));
            }
            registration = self.registration()?;
            registration.start(&guest.all(&ends)).map_err(link_error)?;
        }
        drop(guest);
        let blueprint = Arc::clone(&self.blueprint);
        let birth = Birth { begun, prepare_ns: self.prepare_ns };
        Ok(Box::new(NamespaceExecution::new(registration, blueprint, stdio, ends, birth)))
    }
}
