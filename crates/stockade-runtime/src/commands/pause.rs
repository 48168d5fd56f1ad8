//! `pause` and `resume`: all processes of a container stand still, and go on.

use crate::args::IdArgs;
use crate::failure::{Context, Failure, Outcome};
use crate::state::Status;

use super::Caller;

pub(super) fn pause(caller: &Caller, args: &IdArgs) -> Outcome<()> {
    let (entry, state, _lock) = caller.home.load_locked(&args.id)?;
    match state.status(&entry) {
        Status::Running | Status::Created => {
            state.cgroup.freeze().context(|| "container cannot be paused".into())
        }
        other => Err(Failure::new(format!("container not running or created: {other}"))),
    }
}

pub(super) fn resume(caller: &Caller, args: &IdArgs) -> Outcome<()> {
    let (entry, state, _lock) = caller.home.load_locked(&args.id)?;
    match state.status(&entry) {
        Status::Paused => state.cgroup.thaw().context(|| "container cannot be resumed".into()),
        _ => Err(Failure::new("container not paused")),
    }
}
