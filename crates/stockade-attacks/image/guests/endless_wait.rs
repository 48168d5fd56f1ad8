//! Sleeps for ever, deaf to every signal that one can be deaf to.

use crate::kit::{self, Args};

pub fn attack(_: Args) -> ! {
    kit::block_signals();
    (1..65).for_each(kit::ignore);
    loop {
        kit::sleep_ms(1_000_000);
    }
}
