//! Opens sockets that see and forge packets.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::attempt_any(&mut [
        ("AF_PACKET", &mut || kit::call(nr::SOCKET, [17, 3, 0])),
        ("SOCK_RAW", &mut || kit::call(nr::SOCKET, [2, 3, 1])),
        ("SOCK_RAW 6", &mut || kit::call(nr::SOCKET, [10, 3, 58])),
    ])
}
