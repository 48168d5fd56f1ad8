//! Opens devices that reach beyond the program's own world. None is read or written.

use crate::kit::{self, Args, O_NONBLOCK, O_RDONLY};

const NAMES: [&[u8]; 14] = [
    b"/dev/mem\0",
    b"/dev/kmsg\0",
    b"/dev/kvm\0",
    b"/dev/fuse\0",
    b"/dev/net/tun\0",
    b"/dev/loop-control\0",
    b"/dev/mapper/control\0",
    b"/dev/userfaultfd\0",
    b"/dev/vsock\0",
    b"/dev/vda\0",
    b"/dev/sda\0",
    b"/dev/nvme0n1\0",
    b"/dev/tty\0",
    b"/dev/ptmx\0",
];

pub fn attack(_: Args) -> ! {
    kit::open_any("open devices", &NAMES, O_RDONLY | O_NONBLOCK)
}
