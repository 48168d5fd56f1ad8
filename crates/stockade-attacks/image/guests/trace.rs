//! Traces another process.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const SEIZE: usize = 0x4206;
    let Ok(child) = kit::fork() else { kit::failed(format_args!("no child to trace")) };
    if child == 0 {
        kit::sleep_ms(1000);
        kit::exit(0);
    }
    let traced = kit::call(nr::PTRACE, [SEIZE, child, 0, 0]);
    let _ = kit::call(nr::KILL, [child, kit::SIGKILL]);
    let _ = kit::wait(child);
    kit::attempt("ptrace", traced)
}
