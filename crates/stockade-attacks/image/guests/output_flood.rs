//! Prints more than it may.

use crate::kit::{self, Args};

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    let line = [b'.'; 1009];
    let mut printed = 0;
    while printed < total {
        match kit::write(1, &line) {
            Ok(len) => printed += len,
            Err(errno) => kit::refused("write", errno),
        }
    }
    kit::through(format_args!("{printed} bytes are printed"))
}
