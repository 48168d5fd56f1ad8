//! [`Registration`]: a plan and its root in one warden's hands.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use stockade_core::Result;

use crate::host::link_error;
use crate::prepare::Blueprint;
use crate::warden::{Link, LinkError, Shelf, Waiters, WaitingRun};
use crate::wardens::Wardens;

/// The numbers of a plan and its root in one warden; given back when nobody uses them any more.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) link: Arc<Link>,
    root: usize,
    /// `None` for a plan that only its one run knows.
    plan: Option<usize>,
    /// There from the first wish for runs that wait.
    shelf: OnceLock<Shelf>,
    /// One wish at a time.
    wishes: Mutex<()>,
}

impl Registration {
    fn new(link: Arc<Link>, blueprint: &Blueprint) -> std::result::Result<Self, LinkError> {
        let mut registration = Self::of_root(link, blueprint)?;
        registration.plan = Some(registration.link.plan(&blueprint.wire(registration.root))?);
        Ok(registration)
    }

    fn of_root(link: Arc<Link>, blueprint: &Blueprint) -> std::result::Result<Self, LinkError> {
        let recipe = &blueprint.recipe;
        let root = link.root(recipe, |item| crate::rootfs::describe(recipe, item))?;
        Ok(Self { link, root, plan: None, shelf: OnceLock::new(), wishes: Mutex::new(()) })
    }

    /// Starts a run of the plan with these ends of its streams.
    pub(crate) fn start(&self, fds: &[BorrowedFd<'_>]) -> std::result::Result<(), LinkError> {
        self.link.start(self.plan.ok_or(LinkError::Lost)?, fds)
    }

    /// Has runs of the plan wait.
    pub(crate) fn warm(&self, waiters: Waiters) -> std::result::Result<(), LinkError> {
        let _one_at_a_time = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = self.plan.ok_or(LinkError::Lost)?;
        if self.shelf.get().is_some() {
            return self.link.warm(plan, waiters, &[]);
        }
        let (shelf, warden) = Shelf::new()?;
        self.link.warm(plan, waiters, &[warden.as_fd(), shelf.end().as_fd()])?;
        self.shelf.get_or_init(|| shelf);
        Ok(())
    }

    /// A run that waits, if there is one.
    pub(crate) fn waiting(&self) -> Option<WaitingRun> {
        self.shelf.get()?.take()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(plan) = self.plan {
            self.link.release_plan(plan);
        }
        self.link.release_root(self.root);
    }
}

/// Hands the plan to a living warden.
pub(crate) fn register(wardens: &Wardens, blueprint: &Blueprint) -> Result<Registration> {
    of_living_warden(wardens, blueprint, Registration::new)
}

/// Starts the one run of a plan in a living warden, with these ends of its streams.
pub(crate) fn start_once(
    wardens: &Wardens,
    blueprint: &Blueprint,
    fds: &[BorrowedFd<'_>],
) -> Result<Registration> {
    of_living_warden(wardens, blueprint, |link, blueprint| {
        let registration = Registration::of_root(link, blueprint)?;
        registration.link.start_once(&blueprint.wire(registration.root), fds)?;
        Ok(registration)
    })
}

/// Asks a living warden; once more if that one turns out to be gone.
fn of_living_warden(
    wardens: &Wardens,
    blueprint: &Blueprint,
    ask: impl Fn(Arc<Link>, &Blueprint) -> std::result::Result<Registration, LinkError>,
) -> Result<Registration> {
    let network = blueprint.host_network();
    match ask(wardens.link(network)?, blueprint) {
        Err(LinkError::Lost) => ask(wardens.link(network)?, blueprint),
        other => other,
    }
    .map_err(link_error)
}
