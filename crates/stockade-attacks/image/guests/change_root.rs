//! Asks for another root directory, in both ways there are.

use crate::kit::{self, Args, nr, path};

pub fn attack(_: Args) -> ! {
    kit::reach_any(&mut [
        ("chroot", &mut || kit::call(nr::CHROOT, [path(b"/stockade/no/such\0")])),
        ("pivot_root", &mut || {
            kit::call(nr::PIVOT_ROOT, [path(b"/stockade/no/such\0"), path(b"/stockade/no/such\0")])
        }),
    ])
}
