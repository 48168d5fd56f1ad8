//! Puts links that lead outside into a directory it may write to, and follows them.

use crate::kit::{self, Args, Errno, O_RDONLY, join, nr, path};

pub fn attack(args: Args) -> ! {
    let (secret, folder) = (args.get(2), args.get(3));
    let up = join(&[b"../../../../../../../../../..", secret]);
    let mut answer = Errno::ENOENT;
    for (name, to) in [(b"/over".as_slice(), args.with_nul(2)), (b"/up", up.with_nul())] {
        let link = join(&[folder, name]);
        let _ = kit::call(nr::SYMLINKAT, [path(to), kit::AT_FDCWD, path(link.with_nul())]);
        match kit::open(link.with_nul(), O_RDONLY) {
            Ok(_) => kit::through(format_args!("a file outside is open, by a link")),
            Err(errno) => answer = errno,
        }
    }
    kit::refused("open the file outside", answer)
}
