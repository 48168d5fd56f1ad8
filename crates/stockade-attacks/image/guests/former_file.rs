//! Finds a file that the last sandbox has left.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    let path = args.with_nul(3);
    kit::succeed(
        args,
        || kit::open(path, kit::O_RDWR | kit::O_CREAT),
        || kit::call(nr::UNLINKAT, [kit::AT_FDCWD, kit::path(path), 0]),
    )
}
