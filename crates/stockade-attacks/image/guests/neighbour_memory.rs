//! Meets a second sandbox in System V shared memory of one key.

use crate::kit::{self, Args, nr};

pub fn attack(args: Args) -> ! {
    const CREATE: usize = 0o1600;
    let key = args.number(3);
    kit::meet(
        args,
        || kit::call(nr::SHMGET, [key, 4096, CREATE]).map(kit::Place::Memory),
        || kit::call(nr::SHMGET, [key, 4096, 0]),
    )
}
