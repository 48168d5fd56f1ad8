//! Asks whether there is any process that it could kill, with the signal that does nothing.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::attempt("kill(-1)", kit::call(nr::KILL, [usize::MAX, 0]))
}
