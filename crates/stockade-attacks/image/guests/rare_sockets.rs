//! Opens sockets of families that few use and where flaws of the kernel are found.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::attempt_any(&mut [
        ("AF_NETLINK", &mut || kit::call(nr::SOCKET, [16, 3, 0])),
        ("AF_ALG", &mut || kit::call(nr::SOCKET, [38, 5, 0])),
        ("AF_KEY", &mut || kit::call(nr::SOCKET, [15, 3, 2])),
        ("AF_RXRPC", &mut || kit::call(nr::SOCKET, [33, 2, 2])),
        ("AF_TIPC", &mut || kit::call(nr::SOCKET, [30, 1, 0])),
        ("AF_CAN", &mut || kit::call(nr::SOCKET, [29, 3, 1])),
        ("AF_XDP", &mut || kit::call(nr::SOCKET, [44, 3, 0])),
        ("AF_BLUETOOTH", &mut || kit::call(nr::SOCKET, [31, 3, 1])),
        ("AF_NFC", &mut || kit::call(nr::SOCKET, [39, 5, 0])),
        ("AF_SMC", &mut || kit::call(nr::SOCKET, [43, 1, 0])),
    ])
}
