//! Switches off that addresses are chosen at random.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const ADDR_NO_RANDOMIZE: usize = 0x4_0000;
    kit::attempt("personality", kit::call(nr::PERSONALITY, [ADDR_NO_RANDOMIZE]))
}
