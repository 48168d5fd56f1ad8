//! Fills private memory, as much as it is told.

use crate::kit::{self, Args};

const PIECE: usize = 1 << 20;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for _ in 0..total / PIECE {
        match kit::map(PIECE) {
            Ok(memory) => memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1),
            Err(errno) => kit::refused("mmap", errno),
        }
    }
    kit::through(format_args!("{total} bytes are held at once"))
}
