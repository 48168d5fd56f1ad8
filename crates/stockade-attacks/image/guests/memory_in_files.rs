//! Fills files of a file system in memory.

use crate::kit::{self, Args, O_RDWR, O_TMPFILE};

const FILE: usize = 4 << 20;

pub fn attack(args: Args) -> ! {
    kit::fill_files(args.number(2), FILE, || kit::open(b"/dev/shm\0", O_TMPFILE | O_RDWR))
}
