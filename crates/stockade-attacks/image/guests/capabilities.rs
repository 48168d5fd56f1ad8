//! Looks for a capability in any of its five sets.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const VERSION_3: u32 = 0x2008_0522;
    const PR_CAPBSET_READ: usize = 23;
    let header = [VERSION_3, 0];
    let mut sets = [0_u32; 6];
    let at = [header.as_ptr() as usize, sets.as_mut_ptr() as usize];
    if let Err(errno) = kit::call(nr::CAPGET, at) {
        kit::refused("capget", errno)
    }
    if sets != [0; 6] {
        kit::through(format_args!("capabilities {:#x}", sets[0]));
    }
    // Ambient capabilities are among the permitted ones.
    for number in 0..64 {
        if kit::call(nr::PRCTL, [PR_CAPBSET_READ, number, 0, 0, 0]) == Ok(1) {
            kit::through(format_args!("capability {number} could come with a program"));
        }
    }
    kit::refused("every set of capabilities is empty", kit::Errno::EPERM)
}
