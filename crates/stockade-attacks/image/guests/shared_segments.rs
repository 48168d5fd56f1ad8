//! Fills System V segments, which belong to no process. Each is marked to go with its last user.

use crate::kit::{self, Args, nr};

const SEGMENT: usize = 4 << 20;
const IPC_RMID: usize = 0;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for _ in 0..total / SEGMENT {
        // IPC_PRIVATE
        let id = match kit::call(nr::SHMGET, [0, SEGMENT, 0o600]) {
            Ok(id) => id,
            Err(errno) => kit::refused("shmget", errno),
        };
        let at = kit::call(nr::SHMAT, [id, 0, 0]);
        let _ = kit::call(nr::SHMCTL, [id, IPC_RMID, 0]);
        match at {
            Ok(at) => kit::bytes(at, SEGMENT).iter_mut().step_by(4096).for_each(|byte| *byte = 1),
            Err(errno) => kit::refused("shmat", errno),
        }
    }
    kit::through(format_args!("{total} bytes are held at once"))
}
