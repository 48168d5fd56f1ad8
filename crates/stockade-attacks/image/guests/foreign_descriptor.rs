//! Takes a descriptor out of another process.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::reach("pidfd_getfd", kit::call(nr::PIDFD_GETFD, [usize::MAX, 0, 0]))
}
