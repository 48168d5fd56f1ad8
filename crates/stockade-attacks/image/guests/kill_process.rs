//! Kills a process of the host by its number.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    kit::attempt("kill", kit::call(nr::KILL, [args.number(2), kit::SIGKILL]))
}
