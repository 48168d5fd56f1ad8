//! Sets up a ring, through which calls pass no filter.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let parameters = [0_u64; 15];
    kit::reach("io_uring_setup", kit::call(nr::IO_URING_SETUP, [1, parameters.as_ptr() as usize]))
}
