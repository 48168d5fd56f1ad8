//! Makes a file that is larger than any may be, but for a hole.

use crate::kit::{self, Args, O_RDWR, O_TMPFILE, nr};

const SIGXFSZ: usize = 25;

pub fn attack(args: Args) -> ! {
    let size = args.number(2);
    kit::ignore(SIGXFSZ);
    let file = match kit::open(b"/dev/shm\0", O_TMPFILE | O_RDWR) {
        Ok(file) => file,
        Err(errno) => kit::refused("open", errno),
    };
    let byte = b"x".as_ptr() as usize;
    kit::attempt_any(&mut [
        ("ftruncate", &mut || kit::call(nr::FTRUNCATE, [file, size])),
        ("pwrite", &mut || kit::call(nr::PWRITE64, [file, byte, 1, size])),
        ("fallocate", &mut || kit::call(nr::FALLOCATE, [file, 0, size, 1])),
    ])
}
