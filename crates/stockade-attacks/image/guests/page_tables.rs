//! Makes page tables and nothing else: it reads a byte here and there of memory that has none.

use crate::kit::{self, Args, nr};

/// What one table maps.
const REACH: usize = 2 << 20;
const TABLE: usize = 4096;
const MAP_PRIVATE_ANONYMOUS_NORESERVE: usize = 0x4022;
const MADV_NOHUGEPAGE: usize = 15;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let len = total / TABLE * REACH;
    let at = match kit::call(nr::MMAP, [0, len, 1, MAP_PRIVATE_ANONYMOUS_NORESERVE, usize::MAX, 0])
    {
        Ok(at) => at,
        Err(errno) => kit::refused("mmap", errno),
    };
    let _ = kit::call(nr::MADVISE, [at, len, MADV_NOHUGEPAGE]);
    let mut sum = 0_u64;
    for byte in kit::bytes(at, len).iter().step_by(REACH) {
        // SAFETY: it is a reference; read where the compiler cannot leave it out.
        sum += u64::from(unsafe { core::ptr::read_volatile(byte) });
    }
    kit::through(format_args!("{total} bytes of page tables are held, and {sum}"))
}
