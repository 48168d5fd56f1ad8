//! Mounts control groups, whose files name a program that the host would run, CVE-2022-0492. In
//! a mount namespace of its own, so that nobody else sees it.

use crate::kit::{self, Args, Errno, Result, nr, path};

const CLONE_NEWNS: usize = 0x2_0000;
const CLONE_NEWUSER: usize = 0x1000_0000;
const MS_PRIVATE: usize = 1 << 18;
const MS_REC: usize = 1 << 14;

pub fn attack(_: Args) -> ! {
    let mut unshared = kit::call(nr::UNSHARE, [CLONE_NEWNS]);
    if unshared.is_err() {
        unshared = kit::call(nr::UNSHARE, [CLONE_NEWUSER | CLONE_NEWNS]);
    }
    if unshared.is_ok() {
        let _ = mount(b"none\0", b"/\0", b"none\0", MS_PRIVATE | MS_REC, 0);
    }
    let place = b"groups\0";
    let _ = kit::call(nr::MKDIRAT, [kit::AT_FDCWD, path(place), 0o755]);
    let mut answer = Errno::ENOENT;
    for controller in [b"memory\0".as_slice(), b"pids\0", b"rdma\0", b"misc\0"] {
        match mount(b"cgroup\0", place, b"cgroup\0", 0, path(controller)) {
            Ok(_) => mounted(),
            Err(errno) => answer = errno,
        }
    }
    match mount(b"cgroup2\0", place, b"cgroup2\0", 0, 0) {
        Ok(_) => mounted(),
        // What is no matter of privilege is no wall.
        Err(errno) if answer == Errno::EPERM || answer == Errno::ENOSYS => answer = errno,
        Err(_) => {}
    }
    kit::refused("mount control groups", answer)
}

fn mount(what: &[u8], place: &[u8], kind: &[u8], flags: usize, data: usize) -> Result<usize> {
    kit::call(nr::MOUNT, [path(what), path(place), path(kind), flags, data])
}

fn mounted() -> ! {
    let _ = kit::call(nr::UMOUNT2, [path(b"groups\0"), 0]);
    kit::through(format_args!("control groups are mounted"))
}
