//! Opens files until no more can be, having raised what it may raise.

use crate::kit::{self, Args, nr};

const RLIMIT_NOFILE: usize = 7;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let mut limits = [0_u64; 2];
    let at = limits.as_mut_ptr() as usize;
    let _ = kit::call(nr::PRLIMIT64, [0, RLIMIT_NOFILE, 0, at]);
    for hard in [limits[1], total as u64 + 64] {
        limits = [hard, hard.max(limits[1])];
        let _ = kit::call(nr::PRLIMIT64, [0, RLIMIT_NOFILE, limits.as_ptr() as usize, 0]);
    }
    for _ in 0..total {
        if let Err(errno) = kit::call(nr::DUP, [0]) {
            kit::refused("dup", errno);
        }
    }
    kit::through(format_args!("{total} descriptors are open"))
}
