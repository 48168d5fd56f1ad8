//! Has room in a file system reserved for it, without writing anything.

use crate::kit::{self, Args, O_RDWR, O_TMPFILE, nr};

const PIECES: usize = 64;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let file = match kit::open(b"/dev/shm\0", O_TMPFILE | O_RDWR) {
        Ok(file) => file,
        Err(errno) => kit::refused("open", errno),
    };
    let piece = total / PIECES;
    for number in 0..PIECES {
        if let Err(errno) = kit::call(nr::FALLOCATE, [file, 0, number * piece, piece]) {
            kit::refused("fallocate", errno);
        }
    }
    kit::through(format_args!("{total} bytes are reserved"))
}
