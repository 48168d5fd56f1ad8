//! Leaves data in pipes that nobody reads from.

use crate::kit::{self, Args, Errno, O_NONBLOCK, nr};

const F_SETPIPE_SZ: usize = 1031;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let data = match kit::map(64 << 10) {
        Ok(data) => data,
        Err(errno) => kit::refused("mmap", errno),
    };
    let mut held = 0;
    let mut answer = Errno::EAGAIN;
    while held < total {
        let mut ends = [0_i32; 2];
        if let Err(errno) = kit::call(nr::PIPE2, [ends.as_mut_ptr() as usize, O_NONBLOCK]) {
            kit::refused("pipe2", errno);
        }
        let end = ends[1] as usize;
        let _ = kit::call(nr::FCNTL, [end, F_SETPIPE_SZ, 1 << 20]);
        let before = held;
        while let Ok(put) = kit::write(end, data).inspect_err(|errno| answer = *errno) {
            held += put;
        }
        if held == before {
            kit::refused("write", answer);
        }
    }
    kit::through(format_args!("{held} bytes are held in pipes"))
}
