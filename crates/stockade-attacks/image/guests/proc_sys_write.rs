//! Opens settings of the kernel for writing, those that start programs first. Nothing is written.

use crate::kit::{self, Args, O_WRONLY};

const NAMES: [&[u8]; 12] = [
    b"/proc/sys/kernel/core_pattern\0",
    b"/proc/sys/kernel/modprobe\0",
    b"/proc/sys/kernel/hostname\0",
    b"/proc/sys/kernel/ns_last_pid\0",
    b"/proc/sys/kernel/shmmax\0",
    b"/proc/sys/net/ipv4/ip_unprivileged_port_start\0",
    b"/proc/sys/net/core/somaxconn\0",
    b"/proc/sys/user/max_user_namespaces\0",
    b"/proc/sys/fs/mqueue/queues_max\0",
    b"/proc/sys/fs/binfmt_misc/register\0",
    b"/proc/sys/vm/panic_on_oom\0",
    b"/proc/irq/default_smp_affinity\0",
];

pub fn attack(_: Args) -> ! {
    kit::open_any("open settings of the kernel", &NAMES, O_WRONLY)
}
