//! Moves files between a directory that may only be read and one that may be written.

use crate::kit::{self, AT_FDCWD, Args, O_CREAT, O_WRONLY, join, nr, path};

const EXCHANGE: usize = 2;
const WHITEOUT: usize = 4;

pub fn attack(args: Args) -> ! {
    let file = join(&[args.get(2), b"/file"]);
    let planted = join(&[args.get(2), b"/planted"]);
    let own = join(&[args.get(3), b"/own"]);
    let taken = join(&[args.get(3), b"/taken"]);
    if let Err(errno) = kit::open(own.with_nul(), O_CREAT | O_WRONLY) {
        kit::failed(format_args!("no file can be made: {errno}"));
    }
    let moved = |from: &[u8], to: &[u8], flags: usize| {
        kit::call(nr::RENAMEAT2, [AT_FDCWD, path(from), AT_FDCWD, path(to), flags])
    };
    let (file, planted) = (file.with_nul(), planted.with_nul());
    let (own, taken) = (own.with_nul(), taken.with_nul());
    kit::attempt_any(&mut [
        ("exchange", &mut || moved(own, file, EXCHANGE)),
        ("rename over a file", &mut || moved(own, file, 0)),
        ("rename to a new name", &mut || moved(own, planted, 0)),
        ("rename out of it", &mut || moved(file, taken, 0)),
        ("rename out of it with a whiteout", &mut || moved(file, taken, WHITEOUT)),
    ])
}
