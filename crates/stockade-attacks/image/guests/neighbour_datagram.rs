//! Sends a second sandbox datagrams on the loopback interface.

use crate::kit::{self, Address, Args};

pub fn attack(args: Args) -> ! {
    let there = Address::loopback(args.number(3));
    kit::meet(
        args,
        || kit::open_datagram(&there),
        || {
            // The answer to the first, that nobody is there, comes with the second.
            let socket = kit::connect_datagram(&there)?;
            let first = kit::write(socket, b"anybody there?");
            kit::sleep_ms(1);
            let answer = first.and_then(|_| kit::write(socket, b"anybody there?"));
            kit::close(socket);
            answer
        },
    )
}
