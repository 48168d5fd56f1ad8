//! Fills files that have no name in any file system, and no process that they count for.

use crate::kit::{self, Args, nr, path};

const FILE: usize = 4 << 20;

pub fn attack(args: Args) -> ! {
    let name = path(b"bomb\0");
    kit::fill_files(args.number(2), FILE, || kit::call(nr::MEMFD_CREATE, [name, 0]))
}
