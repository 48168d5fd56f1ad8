//! Reaches for what only the administrator of a machine may: swap, accounting, clock, name, reboot.

use crate::kit::{self, Args, nr, path};

pub fn attack(_: Args) -> ! {
    kit::reach_any(&mut [
        ("swapon", &mut || kit::call(nr::SWAPON, [path(b"/stockade/no/such\0"), 0])),
        ("acct", &mut || kit::call(nr::ACCT, [path(b"/stockade/no/such\0")])),
        ("clock_settime", &mut || kit::call(nr::CLOCK_SETTIME, [0, 0])),
        ("sethostname", &mut || kit::call(nr::SETHOSTNAME, [0, usize::MAX])),
        ("reboot", &mut || kit::call(nr::REBOOT, [0, 0, 0, 0])),
    ])
}
