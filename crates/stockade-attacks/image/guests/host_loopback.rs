//! Connects to a server that listens on the host's loopback interface.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    kit::attempt("connect", kit::connect(&Address::loopback(args.number(2))))
}
