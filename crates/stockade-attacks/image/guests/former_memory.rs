//! Finds shared memory of System V that the last sandbox has left.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    const CREATE: usize = 0o1600;
    const REMOVE: usize = 0;
    let key = args.number(3);
    kit::succeed(
        args,
        || kit::call(nr::SHMGET, [key, 4096, CREATE]),
        || {
            let id = kit::call(nr::SHMGET, [key, 4096, 0])?;
            kit::call(nr::SHMCTL, [id, REMOVE, 0])
        },
    )
}
