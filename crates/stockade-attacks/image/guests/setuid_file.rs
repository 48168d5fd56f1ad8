//! Leaves files with the set-user-id bit in a directory of the host, by every call that sets modes.
//! Whoever looks at the directory then knows how it went.

use crate::kit::{
    self, AT_FDCWD, Args, Errno, O_CREAT, O_EXCL, O_TMPFILE, O_WRONLY, join, nr, path,
};

const SET_ID: usize = 0o6755;
const REGULAR: usize = 0o100_000;
const FCHMODAT2: usize = 452;
const AT_SYMLINK_FOLLOW: usize = 0x400;

pub fn attack(args: Args) -> ! {
    let folder = args.get(2);
    let fresh = O_CREAT | O_EXCL | O_WRONLY;
    let mut worked = 0;
    let mut answer = Errno::ENOENT;
    let mut note = |result: kit::Result<usize>| match result {
        Ok(_) => worked += 1,
        Err(errno) => answer = errno,
    };

    let name = join(&[folder, b"/created"]);
    note(kit::call(nr::OPENAT, [AT_FDCWD, path(name.with_nul()), fresh, SET_ID]));
    let name = join(&[folder, b"/created2"]);
    let how = [fresh as u64, SET_ID as u64, 0];
    note(kit::call(nr::OPENAT2, [AT_FDCWD, path(name.with_nul()), how.as_ptr() as usize, 24]));
    let name = join(&[folder, b"/node"]);
    note(kit::call(nr::MKNODAT, [AT_FDCWD, path(name.with_nul()), REGULAR | SET_ID, 0]));

    let name = join(&[folder, b"/changed"]);
    match kit::open(name.with_nul(), fresh) {
        Ok(fd) => note(kit::call(nr::FCHMOD, [fd, SET_ID])),
        Err(errno) => kit::failed(format_args!("no file can be made: {errno}")),
    }
    note(kit::call(nr::FCHMODAT, [AT_FDCWD, path(name.with_nul()), SET_ID]));
    note(kit::call(FCHMODAT2, [AT_FDCWD, path(name.with_nul()), SET_ID, 0]));

    let nameless = join(&[folder]);
    let flags = O_TMPFILE | O_WRONLY;
    let opened = kit::call(nr::OPENAT, [AT_FDCWD, path(nameless.with_nul()), flags, SET_ID]);
    note(opened);
    if let Ok(fd) = opened {
        let from = join(&[b"/proc/self/fd/", kit::decimal(fd).digits()]);
        let to = join(&[folder, b"/linked"]);
        let (from, to) = (path(from.with_nul()), path(to.with_nul()));
        note(kit::call(nr::LINKAT, [AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW]));
    }
    if worked > 0 {
        kit::through(format_args!("{worked} calls with the set-user-id bit work"));
    }
    kit::refused("files with the set-user-id bit", answer)
}
