//! Computes for ever, in two processes.

use crate::kit::{self, Args};

pub fn attack(_: Args) -> ! {
    // Alone, where it may have no second process.
    let _ = kit::bound_fork();
    loop {
        core::hint::spin_loop();
    }
}
