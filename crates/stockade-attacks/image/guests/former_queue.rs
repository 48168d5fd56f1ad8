//! Finds a named message queue that the last sandbox has left.

use crate::kit::{self, Args, Errno, nr};

pub fn attack(args: Args) -> ! {
    let name = kit::path(args.with_nul(3));
    kit::succeed(
        args,
        // One that may not be opened has been made.
        || match open(name, 0) {
            Err(Errno::EACCES) => Ok(0),
            answer => answer,
        },
        || {
            // One that belongs to another user is there as well.
            let answer = open(name, kit::O_EXCL);
            let _ = kit::call(nr::MQ_UNLINK, [name]);
            match answer {
                Err(Errno::EEXIST) => Ok(0),
                Err(Errno::EACCES) => Err(Errno::ENOENT),
                answer => answer.and(Err(Errno::ENOENT)),
            }
        },
    )
}

fn open(name: usize, flags: usize) -> kit::Result<usize> {
    kit::call(nr::MQ_OPEN, [name, kit::O_RDWR | kit::O_CREAT | flags, 0o600, 0])
}
