//! Reads the messages of the kernel, which tell addresses.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const READ_ALL: usize = 3;
    kit::reach("syslog", kit::call(nr::SYSLOG, [READ_ALL, 0, 0]))
}
