//! Writes to the places where the sandbox has mounted something, in a tree whose own places are
//! links to elsewhere. Whoever looks there then knows how it went.

use crate::kit::{self, Args, Errno, O_CREAT, O_WRONLY, join};

const PLACES: [&[u8]; 6] = [b"/dev", b"/proc", b"/tmp", b"/dev/shm", b"/etc/deep", b"/data"];

pub fn attack(args: Args) -> ! {
    let mut answer = Errno::ENOENT;
    let mut worked = 0;
    for place in PLACES {
        let name = join(&[args.get(2), place, b"/planted"]);
        match kit::open(name.with_nul(), O_CREAT | O_WRONLY).and_then(|fd| kit::write(fd, b"x")) {
            Ok(_) => worked += 1,
            Err(errno) => answer = errno,
        }
    }
    if worked > 0 {
        kit::through(format_args!("{worked} files are written"));
    }
    kit::refused("write where links lead", answer)
}
