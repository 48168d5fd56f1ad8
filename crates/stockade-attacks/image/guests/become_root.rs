//! Takes the identity of root.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::attempt_any(&mut [
        ("setresuid", &mut || kit::call(nr::SETRESUID, [0, 0, 0])),
        ("setresgid", &mut || kit::call(nr::SETRESGID, [0, 0, 0])),
        ("setgroups", &mut || kit::call(nr::SETGROUPS, [0, 0])),
    ])
}
