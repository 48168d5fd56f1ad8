//! Opens files and directories of the host that no program needs.

use crate::kit::{self, Args, O_NONBLOCK, O_RDONLY};

const NAMES: [&[u8]; 10] = [
    b"/etc/shadow\0",
    b"/etc/sudoers\0",
    b"/etc/machine-id\0",
    b"/root\0",
    b"/home\0",
    b"/boot\0",
    b"/run\0",
    b"/var/log\0",
    b"/sys\0",
    b"/mnt\0",
];

pub fn attack(_: Args) -> ! {
    kit::open_any("open files of the host", &NAMES, O_RDONLY | O_NONBLOCK)
}
