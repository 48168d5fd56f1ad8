//! Makes empty files, which take no room but their inodes.

use crate::kit::{self, Args, O_CREAT, O_WRONLY, join};

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    for number in 0..total {
        let name = join(&[b"file", kit::decimal(number).digits()]);
        match kit::open(name.with_nul(), O_CREAT | O_WRONLY) {
            Ok(fd) => kit::close(fd),
            Err(errno) => kit::refused("make a file", errno),
        }
    }
    kit::through(format_args!("{total} files are made"))
}
