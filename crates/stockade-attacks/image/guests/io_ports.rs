//! Reaches for the ports of the machine and for its own descriptor table.

use crate::kit::{self, Args};

#[cfg(target_arch = "x86_64")]
pub fn attack(_: Args) -> ! {
    use kit::nr;
    kit::reach_any(&mut [
        ("ioperm", &mut || kit::call(nr::IOPERM, [0, 0, 0])),
        ("iopl", &mut || kit::call(nr::IOPL, [4])),
        ("modify_ldt", &mut || kit::call(nr::MODIFY_LDT, [99, 0, 0])),
    ])
}

#[cfg(not(target_arch = "x86_64"))]
pub fn attack(_: Args) -> ! {
    kit::failed(format_args!("this architecture has no ports"))
}
