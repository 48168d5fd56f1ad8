//! `start`.

use super::Caller;
use crate::args::IdArgs;
use crate::failure::{Failure, Outcome};
use crate::gate::Knocker;
use crate::home::Entry;
use crate::hooks;
use crate::state::{State, Status};

/// Has the program of a container that was created begin.
pub(super) fn start(caller: &Caller, args: &IdArgs) -> Outcome<()> {
    let (entry, state, _lock) = caller.home.load_locked(&args.id)?;
    match state.status(&entry) {
        Status::Created => begin(&entry, &state),
        Status::Stopped => Err(Failure::new("cannot start a container that has stopped")),
        Status::Running => Err(Failure::new("cannot start an already running container")),
        status => Err(Failure::new(format!("cannot start a container that is {status}"))),
    }
}

/// The same for a container that the caller holds and knows to wait.
pub(super) fn begin(entry: &Entry, state: &State) -> Outcome<()> {
    let gate = Knocker::find(entry.dir())
        .ok_or_else(|| Failure::new("cannot start a container that has stopped"))?;
    gate.knock()?;
    let spec = entry.config()?;
    let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.poststart().as_deref());
    hooks::run(hooks.unwrap_or_default(), &state.oci_json(Status::Running)?)
}
