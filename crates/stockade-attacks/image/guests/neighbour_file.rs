//! Meets a second sandbox at a file in the folder for temporary ones.

use crate::kit::{self, Args};

pub fn attack(args: Args) -> ! {
    let path = args.with_nul(3);
    kit::meet(
        args,
        || kit::open(path, kit::O_RDWR | kit::O_CREAT).map(kit::Place::Descriptor),
        || kit::open(path, kit::O_RDONLY),
    )
}
