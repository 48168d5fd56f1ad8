//! Takes precedence over every other process of the host.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const OWN: usize = 0;
    kit::attempt("setpriority", kit::call(nr::SETPRIORITY, [OWN, 0, -10_isize as usize]))
}
