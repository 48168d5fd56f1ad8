//! Gives a file that may only be read a second name where it could be written.

use crate::kit::{self, AT_FDCWD, Args, O_RDONLY, join, nr, path};

const AT_SYMLINK_FOLLOW: usize = 0x400;
const AT_EMPTY_PATH: usize = 0x1000;

pub fn attack(args: Args) -> ! {
    let file = join(&[args.get(2), b"/file"]);
    let second = join(&[args.get(3), b"/second"]);
    let fd = match kit::open(file.with_nul(), O_RDONLY) {
        Ok(fd) => fd,
        Err(errno) => kit::failed(format_args!("the file cannot be read: {errno}")),
    };
    let open = join(&[b"/proc/self/fd/", kit::decimal(fd).digits()]);
    let (file, second) = (path(file.with_nul()), path(second.with_nul()));
    let (open, empty) = (path(open.with_nul()), path(b"\0"));
    kit::attempt_any(&mut [
        ("link", &mut || kit::call(nr::LINKAT, [AT_FDCWD, file, AT_FDCWD, second, 0])),
        ("link of what is open", &mut || {
            kit::call(nr::LINKAT, [AT_FDCWD, open, AT_FDCWD, second, AT_SYMLINK_FOLLOW])
        }),
        ("link of a descriptor", &mut || {
            kit::call(nr::LINKAT, [fd, empty, AT_FDCWD, second, AT_EMPTY_PATH])
        }),
    ])
}
