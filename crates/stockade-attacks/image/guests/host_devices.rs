//! Opens devices that reach beyond the program's own world. None is read or written.

use crate::kit::{self, Args, Errno, O_NONBLOCK, O_RDONLY};

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
    let mut answer = Errno::ENOENT;
    for name in NAMES {
        match kit::open(name, O_RDONLY | O_NONBLOCK) {
            Ok(_) => {
                let name = core::str::from_utf8(&name[..name.len() - 1]).unwrap_or("?");
                kit::through(format_args!("{name} is open"))
            }
            Err(errno) => answer = errno,
        }
    }
    kit::refused("open devices", answer)
}
