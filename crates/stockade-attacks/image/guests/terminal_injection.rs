//! Types into a terminal, also with a number that is the same in its lower half.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const TIOCSTI: usize = 0x5412;
    let injected = |request: usize| kit::call(nr::IOCTL, [usize::MAX, request, 0]);
    kit::reach_any(&mut [
        ("TIOCSTI", &mut || injected(TIOCSTI)),
        ("TIOCSTI with a bit more", &mut || injected(TIOCSTI | 1 << 40)),
        ("TIOCLINUX", &mut || injected(0x541c)),
        ("TIOCSETD", &mut || injected(0x5423)),
    ])
}
