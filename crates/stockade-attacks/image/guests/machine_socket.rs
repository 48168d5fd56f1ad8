//! Opens a socket to the hypervisor, which no namespace divides.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::attempt_any(&mut [("AF_VSOCK", &mut || kit::call(nr::SOCKET, [40, 1, 0]))])
}
