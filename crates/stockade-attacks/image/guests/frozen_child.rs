//! Leaves a process behind that the kernel holds up, as vfork(2) does, until its child is done.

use crate::kit::{self, Args, nr};

const CLONE_VFORK: usize = 0x4000;

pub fn attack(_: Args) -> ! {
    let told = kit::pipe();
    if kit::fork() == Ok(0) {
        let _ = kit::call(nr::SETSID, []);
        (0..3).for_each(kit::close);
        if kit::call(nr::CLONE, [CLONE_VFORK | kit::SIGCHLD, 0, 0, 0, 0]) == Ok(0) {
            let _ = kit::write(told.1, b"x");
            kit::sleep_ms(20_000);
        }
        kit::exit(0);
    }
    let _ = kit::read(told.0, &mut [0]);
    kit::through(format_args!("left a process behind that waits for its child"))
}
