//! Starts processes that stay.

use crate::kit::{self, Args};

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for _ in 0..total {
        match kit::bound_fork() {
            Ok(0) => {
                kit::sleep_ms(10_000);
                kit::exit(0);
            }
            Ok(_) => {}
            Err(errno) => kit::refused("fork", errno),
        }
    }
    kit::through(format_args!("{total} processes are alive at once"))
}
