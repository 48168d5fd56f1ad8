//! Finds a named message queue that the last sandbox has left.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    let name = kit::path(args.with_nul(3));
    kit::succeed(
        args,
        || kit::call(nr::MQ_OPEN, [name, kit::O_RDWR | kit::O_CREAT, 0o600, 0]),
        || kit::call(nr::MQ_UNLINK, [name]),
    )
}
