//! Looks for a socket of the host's in the kernel's tables of connections.

use crate::kit::{self, Args, Errno};

const TABLES: [&[u8]; 5] = [
    b"/proc/net/tcp\0",
    b"/proc/self/net/tcp\0",
    b"/proc/thread-self/net/tcp\0",
    b"/proc/1/net/tcp\0",
    b"/proc/net/nf_conntrack\0",
];

/// Argument 2 is how the table has the address and the port, in hexadecimal digits.
pub fn attack(args: Args) -> ! {
    let wanted = args.get(2);
    let mut answer = Errno::ENOENT;
    for table in TABLES {
        match kit::open(table, kit::O_RDONLY) {
            Ok(file) if shows(file, wanted) => {
                kit::through(format_args!("the host's socket is in a table"))
            }
            Ok(file) => kit::close(file),
            Err(errno) => answer = errno,
        }
    }
    kit::refused("finding the host's socket in a table", answer)
}

/// Whether a file holds a text; it may lie across two reads.
fn shows(file: usize, text: &[u8]) -> bool {
    let mut buffer = [0; 8192];
    let mut kept = 0;
    while let Ok(read) = kit::read(file, &mut buffer[kept..]) {
        let len = kept + read;
        if read == 0 {
            break;
        }
        if buffer[..len].windows(text.len().max(1)).any(|window| window == text) {
            return true;
        }
        kept = len.min(text.len());
        buffer.copy_within(len - kept..len, 0);
    }
    false
}
