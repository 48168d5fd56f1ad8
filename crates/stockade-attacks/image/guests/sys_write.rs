//! Opens what `/sys` has to write to. Nothing is written.

use crate::kit::{self, Args, Errno, O_WRONLY};

const NAMES: [&[u8]; 7] = [
    b"/sys/kernel/uevent_helper\0",
    b"/sys/kernel/mm/ksm/run\0",
    b"/sys/kernel/mm/transparent_hugepage/enabled\0",
    b"/sys/kernel/profiling\0",
    b"/sys/power/state\0",
    b"/sys/fs/cgroup/cgroup.procs\0",
    b"/sys/module/printk/parameters/time\0",
];

pub fn attack(_: Args) -> ! {
    let mut answer = Errno::ENOENT;
    for name in NAMES {
        match kit::open(name, O_WRONLY) {
            Ok(_) => {
                let name = core::str::from_utf8(&name[..name.len() - 1]).unwrap_or("?");
                kit::through(format_args!("{name} is open for writing"))
            }
            Err(errno) => answer = errno,
        }
    }
    kit::refused("open what /sys has", answer)
}
