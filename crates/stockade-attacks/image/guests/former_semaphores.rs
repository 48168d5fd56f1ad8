//! Finds semaphores of System V that the last sandbox has left.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    const CREATE: usize = 0o1600;
    const REMOVE: usize = 0;
    let key = args.number(3);
    kit::succeed(
        args,
        || kit::call(nr::SEMGET, [key, 1, CREATE]),
        || {
            let id = kit::call(nr::SEMGET, [key, 1, 0])?;
            kit::call(nr::SEMCTL, [id, 0, REMOVE])
        },
    )
}
