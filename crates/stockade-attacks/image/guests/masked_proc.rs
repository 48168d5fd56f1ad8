//! Looks for what `/proc` tells of the host, and for the trigger in it that acts on the host.

use crate::kit::{self, Args, Errno, O_NONBLOCK, O_RDONLY, O_WRONLY, nr};

/// What kcore begins with, memory of the kernel; and files that are text.
const TOLD: [&[u8]; 5] = [
    b"/proc/kcore\0",
    b"/proc/keys\0",
    b"/proc/timer_list\0",
    b"/proc/sched_debug\0",
    b"/proc/interrupts\0",
];

const PROC: usize = 0x9fa0;

pub fn attack(_: Args) -> ! {
    let mut answer = Errno::ENOENT;
    for name in TOLD {
        let mut byte = [0];
        let read = kit::open(name, O_RDONLY | O_NONBLOCK).and_then(|fd| kit::read(fd, &mut byte));
        match read {
            Ok(1) => {
                let name = core::str::from_utf8(&name[..name.len() - 1]).unwrap_or("?");
                kit::through(format_args!("{name} tells something"))
            }
            Ok(_) => answer = Errno::ENODATA,
            Err(errno) => answer = errno,
        }
    }
    // What covers it may be written to.
    if let Ok(fd) = kit::open(b"/proc/sysrq-trigger\0", O_WRONLY) {
        let mut system = [0_usize; 16];
        let _ = kit::call(nr::FSTATFS, [fd, system.as_mut_ptr() as usize]);
        if system[0] == PROC {
            kit::through(format_args!("/proc/sysrq-trigger is open for writing"));
        }
    }
    kit::refused("what /proc has of the host", answer)
}
