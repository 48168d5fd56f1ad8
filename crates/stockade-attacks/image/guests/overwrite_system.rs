//! Opens files of the system for writing, and makes files without a name beside them. Nothing is
//! written.

use crate::kit::{self, Args, Errno, O_TMPFILE, O_WRONLY};

pub fn attack(_: Args) -> ! {
    let mut answer = Errno::ENOENT;
    for name in [b"/etc/passwd\0".as_slice(), b"/etc/hosts\0", b"/bin/sh\0", b"/usr/bin/env\0"] {
        match kit::open(name, O_WRONLY) {
            Ok(_) => kit::through(format_args!("a file of the system is open for writing")),
            // A program that runs is open to whoever waits until it does not.
            Err(Errno::ETXTBSY) => kit::through(format_args!("only that it runs protects it")),
            Err(errno) => answer = errno,
        }
    }
    for name in [b"/\0".as_slice(), b"/etc\0", b"/usr\0", b"/usr/bin\0", b"/dev\0"] {
        match kit::open(name, O_TMPFILE | O_WRONLY) {
            Ok(_) => kit::through(format_args!("a directory of the system takes files")),
            Err(errno) => answer = errno,
        }
    }
    kit::refused("open files of the system for writing", answer)
}
