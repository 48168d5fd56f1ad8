//! Meets a second sandbox at a socket that has a name but no file.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    kit::meet(
        args,
        || kit::listen(&Address::named(args.get(3))),
        || kit::connect(&Address::named(args.get(3))),
    )
}
