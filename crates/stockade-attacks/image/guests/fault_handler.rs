//! Handles page faults itself, which holds the kernel up where an exploit wants it.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::reach("userfaultfd", kit::call(nr::USERFAULTFD, [1]))
}
