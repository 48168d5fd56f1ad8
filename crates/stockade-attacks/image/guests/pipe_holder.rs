//! Leaves a process behind that holds its streams open, so that whoever reads them waits.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    if kit::fork() == Ok(0) {
        let _ = kit::call(nr::SETSID, []);
        if kit::fork() == Ok(0) {
            kit::sleep_ms(20_000);
        }
        kit::exit(0);
    }
    kit::through(format_args!("left a process behind that holds the streams"))
}
