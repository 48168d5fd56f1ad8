//! What a process does to itself: scheduling, descriptors, signals, and becoming another program.

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{mem, ptr};

use rustix::io::Errno;

/// What a system call gave, or why it failed.
pub(super) fn check(result: c_long) -> Result<c_long, Errno> {
    if result >= 0 {
        return Ok(result);
    }
    let error = std::io::Error::last_os_error();
    Err(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}

/// The kernel's `struct sched_attr`, in its first form, which every kernel takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Said by who passes it to the kernel.
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
}

/// Sets how this thread is scheduled.
pub(crate) fn set_schedule(schedule: &Schedule) -> Result<(), Errno> {
    let size = u32::try_from(size_of::<Schedule>()).map_err(|_| Errno::INVAL)?;
    let schedule = Schedule { size, ..*schedule };
    // SAFETY: the structure is as long as it says and is only read; 0 is this thread.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const schedule, 0) };
    check(done).map(drop)
}

/// How this thread is scheduled.
#[cfg(test)]
pub(crate) fn schedule() -> Result<Schedule, Errno> {
    let mut schedule = Schedule::default();
    let size = size_of::<Schedule>();
    // SAFETY: the kernel writes no more than the size that it is told.
    let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut schedule, size, 0) };
    check(done).map(|_| schedule)
}

/// IOPRIO_WHO_PROCESS of linux/ioprio.h.
const WHO_PROCESS: c_int = 1;

/// Sets the class (1 real time, 2 best effort, 3 idle) and the priority of this thread's disk access.
pub(crate) fn set_io_priority(class: u16, priority: u16) -> Result<(), Errno> {
    let value = (c_int::from(class) << 13) | c_int::from(priority);
    // SAFETY: only numbers are passed; 0 is this thread.
    let done = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, value) };
    check(done).map(drop)
}

/// The class and the priority, as they were set.
#[cfg(test)]
pub(crate) fn io_priority() -> Result<(u16, u16), Errno> {
    // SAFETY: only numbers are passed; 0 is this thread.
    let value = check(unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) })?;
    let value = u16::try_from(value).map_err(|_| Errno::OVERFLOW)?;
    Ok((value >> 13, value & 0x1fff))
}

/// Sets the execution domain of this process, PER_* of linux/personality.h, and gives the old one.
/// 0xffff_ffff only asks.
pub(crate) fn personality(domain: u32) -> Result<u32, Errno> {
    // SAFETY: only a number is passed.
    let old = check(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(domain)) })?;
    u32::try_from(old).map_err(|_| Errno::OVERFLOW)
}

/// Has every descriptor from `first` on closed when another program takes this process over.
pub(crate) fn close_on_exec(first: u32) -> Result<(), Errno> {
    // SAFETY: only numbers are passed, and no descriptor is closed now.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    check(done).map(drop)
}

/// Has one descriptor closed when another program takes this process over. One that is not open is
/// no error.
pub(crate) fn close_one_on_exec(descriptor: c_int) -> Result<(), Errno> {
    // SAFETY: only a flag of the descriptor changes, and nobody here relies on its being unset.
    let done = unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    match check(c_long::from(done)) {
        Ok(_) | Err(Errno::BADF) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What execve(2) wants: pointers to the strings, and none at the end.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// The program takes this process over. Returns only why it did not.
///
/// Signals are given back first as a program expects them: none blocked, and SIGPIPE, which this
/// program ignores, kills.
pub(crate) fn exec(path: &CStr, arguments: &[CString], environment: &[CString]) -> Errno {
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: the set is made by sigemptyset before it is read. No handler of this program is set
    // aside: SIGPIPE has none.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
    // SAFETY: both arrays hold pointers to strings that end with a zero, end with a null pointer, and
    // outlive the call, as their strings do.
    let failed = unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    let error = check(c_long::from(failed)).err().unwrap_or(Errno::INVAL);
    // SAFETY: as above; whoever reads the error goes on as a program of Rust.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    error
}

/// The open file takes this process over, with signals as they are. Returns only why it did not.
pub(crate) fn exec_descriptor(
    file: BorrowedFd<'_>,
    arguments: &[CString],
    environment: &[CString],
) -> Errno {
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: the path is empty and ends with a zero; the arrays are as execve(2) wants them and
    // outlive the call.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    check(failed).err().unwrap_or(Errno::INVAL)
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Changes whether the mount that `mount` is the root of may be written.
pub(crate) fn set_read_only(mount: BorrowedFd<'_>, read_only: bool) -> Result<(), Errno> {
    let bit = |wanted| if wanted { libc::MOUNT_ATTR_RDONLY } else { 0 };
    let attributes = MountAttributes {
        set: bit(read_only),
        clear: bit(!read_only),
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: the path is empty and ends with a zero; the structure is as long as it is said to be and
    // is only read.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    check(done).map(drop)
}

/// Blocks these signals in this thread, and gives a descriptor that they are read from. It is closed
/// on exec and does not block.
pub(crate) fn catch(signals: impl Iterator<Item = c_int>) -> Result<OwnedFd, Errno> {
    // SAFETY: the set is made by sigemptyset before anything else is done with it. A number that is no
    // signal's is refused by sigaddset and leaves the set as it is. The descriptor is new and nobody
    // else's.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        let done = libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
        check(c_long::from(done))?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let descriptor = libc::signalfd(-1, &raw const set, flags);
        check(c_long::from(descriptor))?;
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// The number of the next signal that was caught.
pub(crate) fn caught(signals: BorrowedFd<'_>) -> Result<Option<c_int>, Errno> {
    let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(signals, &mut bytes) {
        Ok(_) => {}
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error),
    }
    // The number is the first field.
    let [first, second, third, fourth, ..] = bytes;
    let number = u32::from_ne_bytes([first, second, third, fourth]);
    c_int::try_from(number).map(Some).map_err(|_| Errno::INVAL)
}

/// Sends a signal by its number, which may be a real-time one's.
pub(crate) fn send_signal(process: BorrowedFd<'_>, number: c_int) -> Result<(), Errno> {
    // SAFETY: no structure is passed, only numbers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            number,
            ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    check(done).map(drop)
}
