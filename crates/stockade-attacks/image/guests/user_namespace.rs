//! Makes a user namespace, in which it would have every capability.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const NEW_USER: usize = 0x1000_0000;
    kit::attempt_any(&mut [
        ("unshare", &mut || kit::call(nr::UNSHARE, [NEW_USER])),
        ("clone", &mut || {
            let pid = kit::call(nr::CLONE, [NEW_USER | kit::SIGCHLD, 0, 0, 0, 0])?;
            if pid == 0 {
                kit::exit(0);
            }
            kit::wait(pid)?;
            Ok(pid)
        }),
    ])
}
