//! `state`: how a container is.

use crate::args::IdArgs;
use crate::failure::Outcome;

use super::Caller;

pub(super) fn state(caller: &Caller, args: &IdArgs) -> Outcome<()> {
    let (entry, state) = caller.home.load(&args.id)?;
    super::print_pretty(&state.shown(state.status(&entry))?)
}
