//! Leaves a process behind that is another one every moment, so that none can be found and killed.
//! Each leaves a byte in a file.

use crate::kit::{self, Args, O_CREAT, O_WRONLY, join, nr};

/// How long it goes on where nothing stops it.
const LIFE: u64 = 500_000_000;

pub fn attack(args: Args) -> ! {
    let end = kit::now() + LIFE;
    let file = match kit::open(join(&[args.get(2)]).with_nul(), O_CREAT | O_WRONLY) {
        Ok(file) => file,
        Err(errno) => kit::failed(format_args!("no file can be made: {errno}")),
    };
    let (told, tell) = kit::pipe();
    if kit::fork() == Ok(0) {
        let mut begun = false;
        let _ = kit::call(nr::SETSID, []);
        (0..3).for_each(kit::close);
        while kit::now() < end {
            match kit::fork() {
                Ok(0) => {
                    let _ = kit::write(file, b"x");
                    if !begun {
                        let _ = kit::write(tell, b"x");
                        begun = true;
                    }
                }
                // Where no process can be had, the next moment may bring one.
                Err(_) => kit::sleep_ms(1),
                Ok(_) => kit::exit(0),
            }
        }
        kit::exit(0);
    }
    let _ = kit::read(told, &mut [0]);
    kit::through(format_args!("left a process behind that hops"))
}
