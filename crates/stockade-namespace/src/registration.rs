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
    plan: usize,
    /// There from the first wish for runs that wait.
    shelf: OnceLock<Shelf>,
    /// One wish at a time.
    wishes: Mutex<()>,
}

impl Registration {
    fn new(link: Arc<Link>, blueprint: &Blueprint) -> std::result::Result<Self, LinkError> {
        let recipe = &blueprint.recipe;
        let root = link.root(recipe, |item| crate::rootfs::describe(recipe, item))?;
        match link.plan(&blueprint.wire(root)) {
            Ok(plan) => {
                Ok(Self { link, root, plan, shelf: OnceLock::new(), wishes: Mutex::new(()) })
            }
            Err(error) => {
                link.release_root(root);
                Err(error)
            }
        }
    }
}

impl Registration {
    /// Starts a run of the plan with these ends of its streams.
    pub(crate) fn start(&self, fds: &[BorrowedFd<'_>]) -> std::result::Result<(), LinkError> {
        self.link.start(self.plan, fds)
    }

    /// Has runs of the plan wait.
    pub(crate) fn warm(&self, waiters: Waiters) -> std::result::Result<(), LinkError> {
        let _one_at_a_time = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shelf.get().is_some() {
            return self.link.warm(self.plan, waiters, &[]);
        }
        let (shelf, warden) = Shelf::new()?;
        self.link.warm(self.plan, waiters, &[warden.as_fd(), shelf.end().as_fd()])?;
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
        self.link.release_plan(self.plan);
        self.link.release_root(self.root);
    }
}

/// Hands the plan to a living warden; once more if that one turns out to be gone.
pub(crate) fn register(wardens: &Wardens, blueprint: &Blueprint) -> Result<Registration> {
    let network = blueprint.host_network();
    match Registration::new(wardens.link(network)?, blueprint) {
        Err(LinkError::Lost) => Registration::new(wardens.link(network)?, blueprint),
        other => other,
    }
    .map_err(link_error)
}
