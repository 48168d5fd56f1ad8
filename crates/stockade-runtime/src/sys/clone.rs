//! clone3(2), used as a fork(2) into new namespaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which of the two processes this is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The one that called, with the other's id and a descriptor of it.
    Parent { pid: i32, pidfd: OwnedFd },
    /// The new one.
    Child,
}

/// As `linux/sched.h` has it: the constant of the libc crate is too narrow, and so is 0.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Makes a copy of this process, with `flags` of `CLONE_NEW*` and `CLONE_PARENT`, as a member of `group`
/// of the unified hierarchy if there is one.
///
/// # Errors
/// As clone3(2), or as clone(2) where that does not exist or a filter hides it; a group is `ENOSYS` then.
pub(crate) fn clone(flags: u64, group: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    debug_assert_eq!(flags & (libc::CLONE_VM | libc::CLONE_FILES) as u64, 0);
    let mut descriptor: libc::c_int = -1;
    // A child that is its parent's sibling ends with what its parent's parent waits for.
    let signal = if flags & libc::CLONE_PARENT as u64 != 0 { 0 } else { libc::SIGCHLD as u64 };
    let group_flag = if group.is_some() { CLONE_INTO_CGROUP } else { 0 };
    let mut args = Arguments {
        flags: flags | libc::CLONE_PIDFD as u64 | group_flag,
        pidfd: (&raw mut descriptor).addr() as u64,
        exit_signal: signal,
        cgroup: group.map_or(0, |group| group.as_raw_fd() as u64),
        ..Arguments::default()
    };
    // SAFETY: `args` is a `struct clone_args` and as long as said; the kernel writes a descriptor's number
    // to `descriptor`, which outlives the call. Memory is copied, not shared, and this process has one
    // thread, so that the child finds no lock held and no data half written: it is a fork(2).
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<Arguments>()) };
    let error = io::Error::last_os_error();
    let pid = match pid {
        -1 if error.raw_os_error() == Some(libc::ENOSYS) && group.is_none() => {
            former(args.flags | signal, &mut descriptor)?
        }
        -1 => return Err(error),
        pid => pid,
    };
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: CLONE_PIDFD has put the number of a new descriptor there, which nothing else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(Side::Parent { pid: pid as i32, pidfd })
}

/// The same by clone(2).
fn former(flags: u64, descriptor: &mut libc::c_int) -> io::Result<libc::c_long> {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: as above; without a stack the child goes on with its copy of this one. Stack and descriptor
    // are the second and the third argument on every architecture that this is built for.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone, flags, none, std::ptr::from_mut(descriptor), none, none)
    };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// `struct clone_args` of `linux/sched.h`, as of Linux 5.7.
#[repr(C, align(8))]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes the control groups that this process is in the root of those that it sees.
pub(crate) fn new_cgroup_namespace() -> io::Result<()> {
    unshare(libc::CLONE_NEWCGROUP)
}

/// Has the children of this process, and not itself, be in a new time namespace.
pub(crate) fn new_time_namespace() -> io::Result<()> {
    unshare(libc::CLONE_NEWTIME)
}

/// `namespace` is one `CLONE_NEW*`.
fn unshare(namespace: libc::c_int) -> io::Result<()> {
    // SAFETY: unshare(2) takes flags, and these leave memory and descriptors as they are.
    match unsafe { libc::unshare(namespace) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends this process as it is: what is registered to run at the end is its parent's.
pub(crate) fn end(status: i32) -> ! {
    // SAFETY: _exit(2) takes any number and does not come back.
    unsafe { libc::_exit(status) }
}
