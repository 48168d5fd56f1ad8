//! Asks for a file system over a directory that is not there.

use crate::kit::{self, Args, nr, path};

pub fn attack(_: Args) -> ! {
    let args = [path(b"none\0"), path(b"/stockade/no/such\0"), path(b"tmpfs\0"), 0, 0];
    kit::reach("mount", kit::call(nr::MOUNT, args))
}
