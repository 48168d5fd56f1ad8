//! Looks for processes of others.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let own = kit::call(nr::GETPID, []).unwrap_or(0);
    for pid in 2..70_000_usize {
        // Signal 0 asks; a process that may not be signalled answers EPERM.
        let is_there = kit::call(nr::KILL, [pid, 0]) != Err(kit::Errno::ESRCH);
        if is_there && pid != own {
            kit::through(format_args!("process {pid} is there"));
        }
    }
    kit::refused("kill(2 to 69999, 0)", kit::Errno::ESRCH)
}
