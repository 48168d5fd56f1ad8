//! Runs without the promise never to gain privileges, so that a set-user-id program would give some.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    const PR_GET_NO_NEW_PRIVS: usize = 39;
    match kit::call(nr::PRCTL, [PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0]) {
        Ok(0) => kit::through(format_args!("privileges can be gained")),
        Ok(_) => kit::refused("no_new_privs is set", kit::Errno::EPERM),
        Err(errno) => kit::refused("prctl", errno),
    }
}
