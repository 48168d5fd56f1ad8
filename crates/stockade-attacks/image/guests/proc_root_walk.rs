//! Takes the ways that `/proc` has to the root of a process, to a file outside.

use crate::kit::{self, Args, Errno, O_RDONLY, join};

const WAYS: [&[u8]; 8] = [
    b"/proc/1/root",
    b"/proc/1/cwd/../../../../../../../..",
    b"/proc/1/task/1/root",
    b"/proc/2/root",
    b"/proc/self/root",
    b"/proc/self/root/proc/1/root",
    b"/proc/self/cwd/../../../../../../../..",
    b"/proc/thread-self/root",
];

pub fn attack(args: Args) -> ! {
    let mut answer = Errno::ENOENT;
    for way in WAYS {
        match kit::open(join(&[way, args.get(2)]).with_nul(), O_RDONLY) {
            Ok(_) => kit::through(format_args!("a file outside is open, by a root in /proc")),
            Err(errno) => answer = errno,
        }
    }
    kit::refused("open the file outside", answer)
}
