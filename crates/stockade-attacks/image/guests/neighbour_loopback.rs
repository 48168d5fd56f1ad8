//! Meets a second sandbox on the loopback interface.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    kit::meet(
        args,
        || kit::listen(&Address::loopback(args.number(3))),
        || kit::connect(&Address::loopback(args.number(3))),
    )
}
