//! Asks to take a file system away.

use crate::kit::{self, Args, nr, path};

pub fn attack(_: Args) -> ! {
    kit::reach("umount2", kit::call(nr::UMOUNT2, [path(b"/stockade/no/such\0"), 2]))
}
