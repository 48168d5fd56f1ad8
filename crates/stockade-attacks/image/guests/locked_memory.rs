//! Locks memory, which the host then cannot take back.

use crate::kit::{self, Args, nr};

const PIECE: usize = 1 << 20;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for _ in 0..total / PIECE {
        let memory = match kit::map(PIECE) {
            Ok(memory) => memory,
            Err(errno) => kit::refused("mmap", errno),
        };
        if let Err(errno) = kit::call(nr::MLOCK, [memory.as_ptr() as usize, PIECE]) {
            kit::refused("mlock", errno);
        }
    }
    kit::through(format_args!("{total} bytes are locked"))
}
