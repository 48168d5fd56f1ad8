//! Looks for a variable of its starter's environment: among its own, and those of every process
//! that it can see.

use crate::kit::{self, Args, Errno, O_RDONLY, join};

/// Arguments: what [`digest`] gives for `NAME=value`.
pub fn attack(args: Args) -> ! {
    let wanted = args.number(2) as u64;
    if args.environment().any(|variable| digest(variable) == wanted) {
        kit::through(format_args!("a variable of the host is in the environment"));
    }
    let Ok(buffer) = kit::map(1 << 20) else { kit::failed(format_args!("no memory")) };
    let mut answer = Errno::ENODATA;
    for process in 0..64 {
        let number = kit::decimal(process);
        let process = if process == 0 { b"self".as_slice() } else { number.digits() };
        let name = join(&[b"/proc/", process, b"/environ"]);
        let read = kit::open(name.with_nul(), O_RDONLY).and_then(|fd| {
            let len = kit::read(fd, buffer);
            kit::close(fd);
            len
        });
        match read {
            Ok(len)
                if buffer[..len].split(|byte| *byte == 0).any(|text| digest(text) == wanted) =>
            {
                kit::through(format_args!("a variable of the host is in /proc"))
            }
            Ok(_) => {}
            Err(errno) => answer = errno,
        }
    }
    kit::refused("look for a variable", answer)
}

/// FNV-1a of 64 bits, so that nobody has to be told the variable.
fn digest(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
