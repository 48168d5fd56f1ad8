//! Sends a second sandbox datagrams on the loopback interface.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    let there = Address::loopback(args.number(3));
    kit::meet(args, || kit::open_datagram(&there), || kit::ask_datagram(&there))
}
