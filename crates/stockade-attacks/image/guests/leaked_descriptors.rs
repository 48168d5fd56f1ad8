//! Looks for descriptors that its starter forgot, CVE-2024-21626.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    for fd in 3..1024_usize {
        // F_GETFD
        if kit::call(nr::FCNTL, [fd, 1]).is_ok() {
            kit::through(format_args!("descriptor {fd} is open"));
        }
    }
    kit::refused("descriptors 3 to 1023", kit::Errno::EBADF)
}
