//! Has every access to a file system reported.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::reach("fanotify_init", kit::call(nr::FANOTIFY_INIT, [0, 0]))
}
