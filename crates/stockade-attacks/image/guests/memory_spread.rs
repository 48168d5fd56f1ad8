//! Fills private memory in many processes, none of which holds more than it alone may.

use crate::kit::{self, Args};

const PARTS: usize = 8;

pub fn attack(args: Args) -> ! {
    let part = args.number(2) / PARTS;
    let (told, tell) = kit::pipe();
    for _ in 0..PARTS {
        match kit::bound_fork() {
            Ok(0) => {
                match kit::map(part) {
                    Ok(memory) => memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1),
                    Err(_) => kit::exit(1),
                }
                let _ = kit::write(tell, b"x");
                kit::sleep_ms(10_000);
                kit::exit(0);
            }
            Ok(_) => {}
            Err(errno) => kit::refused("fork", errno),
        }
    }
    kit::close(tell);
    let mut word = [0];
    for full in 0..PARTS {
        if kit::read(told, &mut word) != Ok(1) {
            kit::failed(format_args!("{full} of {PARTS} processes are full"));
        }
    }
    kit::through(format_args!("{PARTS} processes hold {part} bytes each"))
}
