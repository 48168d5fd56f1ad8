//! Makes devices in a directory of the host and in its own, and opens one that is there already.

use crate::kit::{self, AT_FDCWD, Args, O_RDONLY, join, nr, path};

const CHARACTER: usize = 0o020_666;
const BLOCK: usize = 0o060_666;
/// `/dev/zero` and `/dev/loop0` by their numbers.
const ZERO: usize = 1 << 8 | 5;
const LOOP: usize = 7 << 8;

pub fn attack(args: Args) -> ! {
    let folder = args.get(2);
    let staged = join(&[folder, b"/staged"]);
    let make = |parts: &[&[u8]], mode, device| {
        kit::call(nr::MKNODAT, [AT_FDCWD, path(join(parts).with_nul()), mode, device])
    };
    let results = [
        ("a device of the host", kit::open(staged.with_nul(), O_RDONLY)),
        ("mknod of a character device", make(&[folder, b"/character"], CHARACTER, ZERO)),
        ("mknod of a block device", make(&[folder, b"/block"], BLOCK, LOOP)),
        ("mknod of a whiteout", make(&[folder, b"/whiteout"], CHARACTER, 0)),
        ("mknod in its own directory", make(&[b"own"], CHARACTER, ZERO)),
    ];
    let mut refusal = ("nothing", kit::Errno::ENOENT);
    for (what, result) in results {
        match result {
            Ok(_) => kit::through(format_args!("{what} works")),
            Err(errno) => refusal = (what, errno),
        }
    }
    kit::refused(refusal.0, refusal.1)
}
