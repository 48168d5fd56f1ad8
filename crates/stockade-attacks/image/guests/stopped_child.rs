//! Leaves a process behind that is deaf to every signal, and has stopped itself.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    let told = kit::pipe();
    if kit::fork() == Ok(0) {
        let _ = kit::call(nr::SETSID, []);
        kit::block_signals();
        (1..65).for_each(kit::ignore);
        (0..3).for_each(kit::close);
        let _ = kit::write(told.1, b"x");
        let own = kit::call(nr::GETPID, []).unwrap_or(0);
        let _ = kit::call(nr::KILL, [own, kit::SIGSTOP]);
        kit::exit(0);
    }
    let _ = kit::read(told.0, &mut [0]);
    kit::through(format_args!("left a stopped process behind"))
}
