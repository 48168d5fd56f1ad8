//! Leaves a process behind: twice removed, in a session of its own, without its streams.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    if kit::fork() == Ok(0) {
        let _ = kit::call(nr::SETSID, []);
        if kit::fork() == Ok(0) {
            (0..3).for_each(kit::close);
            kit::sleep_ms(20_000);
        }
        kit::exit(0);
    }
    kit::through(format_args!("left a process behind"))
}
