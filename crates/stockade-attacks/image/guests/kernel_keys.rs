//! Reaches for the keyrings of the kernel, which no namespace divides.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const SESSION: usize = -3_isize as usize;
    kit::reach_any(&mut [
        ("keyctl", &mut || kit::call(nr::KEYCTL, [0, SESSION, 0])),
        ("add_key", &mut || kit::call(nr::ADD_KEY, [0, 0, 0, 0, 0])),
        ("request_key", &mut || kit::call(nr::REQUEST_KEY, [0, 0, 0, 0])),
    ])
}
