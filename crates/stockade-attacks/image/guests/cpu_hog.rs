//! Computes in more threads than there are processors, and looks what share of the time it had.

use crate::kit::{self, Args};

const THREADS: usize = 16;

/// Arguments: for how long, in milliseconds, and how much of a processor is too much, in
/// thousandths.
pub fn attack(args: Args) -> ! {
    let (ms, most) = (args.number(2) as u64, args.number(3) as u64);
    for _ in 0..THREADS {
        if let Err(errno) = kit::thread(kit::Idle::Busy) {
            kit::refused("clone", errno);
        }
    }
    let (begun, used) = (kit::now(), kit::cpu_time());
    while kit::now() - begun < ms * 1_000_000 {
        core::hint::spin_loop();
    }
    let share = (kit::cpu_time() - used) * 1000 / (kit::now() - begun);
    if share > most {
        kit::through(format_args!("it had {share} thousandths of a processor"));
    }
    kit::refused("more of the processor", kit::Errno::EAGAIN)
}
