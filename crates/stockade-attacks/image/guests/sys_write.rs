//! Opens what `/sys` has to write to. Nothing is written.

use crate::kit::{self, Args, O_WRONLY};

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
    kit::open_any("open what /sys has", &NAMES, O_WRONLY)
}
