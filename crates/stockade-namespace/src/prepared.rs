//! [`NamespacePrepared`]: a plan in a warden's hands, started again and again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stockade_core::{Error, ErrorKind, Execution, Input, MAX_WARM, Plan, Prepared, Result, Stdio};

use crate::execution::NamespaceExecution;
use crate::host::link_error;
use crate::limits::nanos;
use crate::outcome::Birth;
use crate::prepare::Blueprint;
use crate::registration::{self, Registration, register};
use crate::streams::{self, Ends, GuestEnds};
use crate::warden::{LinkError, Waiters};
use crate::wardens::Wardens;

/// What a prepared program and its runs share.
#[derive(Debug)]
pub(crate) struct NamespacePrepared {
    wardens: Arc<Wardens>,
    blueprint: Arc<Blueprint>,
    prepare_ns: u64,
    registration: Mutex<Arc<Registration>>,
    /// How many runs are to wait.
    warm: AtomicUsize,
}

/// How long a built sandbox waits before a new one takes its place.
const AGE: Duration = Duration::from_secs(60);
/// With less memory available than this, on the machine or in a large cgroup, no sandbox waits.
const FLOOR: u64 = 128 << 20;

impl NamespacePrepared {
    pub(crate) fn new(wardens: Arc<Wardens>, blueprint: Blueprint, begun: Instant) -> Result<Self> {
        let registration = register(&wardens, &blueprint)?;
        let warm = blueprint.plan.policy.warm;
        let prepared = Self {
            wardens,
            blueprint: Arc::new(blueprint),
            prepare_ns: nanos(begun.elapsed()),
            registration: Mutex::new(Arc::new(registration)),
            warm: AtomicUsize::new(0),
        };
        if warm != 0 {
            prepared.warm(warm)?;
        }
        Ok(prepared)
    }

    /// A registration in a living warden.
    fn registration(&self) -> Result<Arc<Registration>> {
        let mut place = self.registration.lock().unwrap_or_else(PoisonError::into_inner);
        if place.link.is_lost() {
            let registration = register(&self.wardens, &self.blueprint)?;
            let count = self.warm.load(Ordering::Relaxed);
            if count != 0 {
                registration.warm(waiters(count)).map_err(link_error)?;
            }
            *place = Arc::new(registration);
        }
        Ok(Arc::clone(&place))
    }

    /// Begins a run that waits, if there is one.
    fn start_waiting(&self, registration: &Registration, input: &Input) -> Result<Option<Ends>> {
        let begun = registration.waiting().map(|run| run.begin(input)).transpose();
        begun.map_err(|error| Error::new(ErrorKind::Io, error))
    }
}

/// Starts the one run of a plan. The warden hears of plan and run at once.
pub(crate) fn start_once(
    wardens: &Wardens,
    blueprint: Blueprint,
    stdio: Stdio,
    begun: Instant,
) -> Result<Box<dyn Execution>> {
    let birth = Birth { begun: streams::now(), prepare_ns: nanos(begun.elapsed()) };
    let (ends, guest) = open(&stdio)?;
    let registration = registration::start_once(wardens, &blueprint, &guest.all(&ends))?;
    drop(guest);
    let (registration, blueprint) = (Arc::new(registration), Arc::new(blueprint));
    Ok(Box::new(NamespaceExecution::new(registration, blueprint, stdio, ends, birth)))
}

fn open(stdio: &Stdio) -> Result<(Ends, GuestEnds)> {
    Ends::open(&stdio.stdin).map_err(|errno| {
        Error::new(ErrorKind::Io, std::io::Error::from(errno))
            .with_hint("making the streams failed; is the limit of open files reached?")
    })
}

fn waiters(count: usize) -> Waiters {
    Waiters { count, age: AGE, floor: FLOOR }
}

impl Prepared for NamespacePrepared {
    fn plan(&self) -> &Plan {
        &self.blueprint.plan
    }

    fn warm(&self, count: usize) -> Result<()> {
        if count > MAX_WARM {
            let error = std::io::Error::other(format!("{count} sandboxes were to wait"));
            let hint = format!("at most {MAX_WARM} sandboxes of a program can wait");
            return Err(Error::new(ErrorKind::InvalidPolicy, error).with_hint(hint));
        }
        self.warm.store(count, Ordering::Relaxed);
        self.registration()?.warm(waiters(count)).map_err(link_error)
    }

    fn start(&self, stdio: Stdio) -> Result<Box<dyn Execution>> {
        let begun = streams::now();
        let mut registration = self.registration()?;
        let birth = Birth { begun, prepare_ns: self.prepare_ns };
        let blueprint = Arc::clone(&self.blueprint);
        if let Some(ends) = self.start_waiting(&registration, &stdio.stdin)? {
            let run = NamespaceExecution::new(registration, blueprint, stdio, ends, birth);
            return Ok(Box::new(run));
        }
        let (ends, guest) = open(&stdio)?;
        if let Err(error) = registration.start(&guest.all(&ends)) {
            if !matches!(error, LinkError::Lost) {
                return Err(link_error(error));
            }
            registration = self.registration()?;
            registration.start(&guest.all(&ends)).map_err(link_error)?;
        }
        drop(guest);
        Ok(Box::new(NamespaceExecution::new(registration, blueprint, stdio, ends, birth)))
    }
}

#[cfg(test)]
mod tests;
