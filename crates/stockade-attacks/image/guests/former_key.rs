//! Finds a key that the last sandbox has left in its user's keyring, which outlives processes.

use crate::kit::{self, Args, nr};

const USER_KEYRING: usize = -4_isize as usize;
const SEARCH: usize = 10;
const UNLINK: usize = 9;

pub fn attack(args: Args) -> ! {
    let kind = kit::path(b"user\0");
    let name = kit::path(args.with_nul(3));
    kit::succeed(
        args,
        || kit::call(nr::ADD_KEY, [kind, name, name, 4, USER_KEYRING]),
        || {
            let key = kit::call(nr::KEYCTL, [SEARCH, USER_KEYRING, kind, name, 0])?;
            kit::call(nr::KEYCTL, [UNLINK, key, USER_KEYRING])
        },
    )
}
