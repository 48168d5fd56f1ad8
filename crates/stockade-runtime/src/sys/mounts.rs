//! What mounts need: `mount_setattr`, and a user namespace to map the owners of files by.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// `struct mount_attr` of the kernel.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct MountAttributes {
    /// `MOUNT_ATTR_*` to set.
    pub(crate) set: u64,
    /// `MOUNT_ATTR_*` to clear first.
    pub(crate) clear: u64,
    /// One of `MS_PRIVATE`, `MS_SLAVE`, `MS_SHARED`, `MS_UNBINDABLE`, or 0 for no change.
    pub(crate) propagation: u64,
    /// The descriptor of a user namespace, where `MOUNT_ATTR_IDMAP` is set.
    pub(crate) user_namespace: u64,
}

/// Changes the mount whose root `mount` is, and with `recursive` every mount below it
/// (Linux 5.12).
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    recursive: bool,
    attributes: &MountAttributes,
) -> io::Result<()> {
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: reads an empty path and the structure of the given size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const *attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A process that does nothing in a new user namespace with no map yet; it ends with this value.
#[derive(Debug)]
pub(crate) struct Holder(Pid);

impl Holder {
    /// Makes the process and its namespace.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::CLONE_NEWUSER | libc::SIGCHLD;
        // SAFETY: without CLONE_VM and without a stack this is a fork. What the child does is two
        // system calls, which are sound whatever state the memory it copied is in.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        if pid == 0 {
            // SAFETY: takes numbers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            loop {
                // SAFETY: takes nothing.
                unsafe { libc::pause() };
            }
        }
        match i32::try_from(pid).ok().and_then(Pid::from_raw) {
            Some(pid) if pid.as_raw_nonzero().get() > 0 => Ok(Self(pid)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Its id in the caller's pid namespace.
    pub(crate) fn pid(&self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        while let Err(rustix::io::Errno::INTR) = waitpid(Some(self.0), WaitOptions::empty()) {}
    }
}
