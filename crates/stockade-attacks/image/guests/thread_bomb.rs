//! Starts threads that stay.

use crate::kit::{self, Args};

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for _ in 0..total {
        if let Err(errno) = kit::thread(kit::Idle::Asleep) {
            kit::refused("clone", errno);
        }
    }
    kit::through(format_args!("{total} threads are alive at once"))
}
