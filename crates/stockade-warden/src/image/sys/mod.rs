//! The kernel, call by call. Every `unsafe` of the warden is in this folder.
//!
//! Calls take and give plain values and slices; a wrapper is safe when no argument can make the
//! kernel touch memory that is not the slice it was given. Descriptors are plain numbers here:
//! the warden closes what it opens by hand, because its processes end by `exit_group`.

mod clone;
mod files;
mod filters;
mod memory;
mod metadata;
mod mounts;
mod process;
mod sockets;

use bare::nr;
pub use clone::*;
pub use files::*;
pub use filters::*;
pub use memory::*;
pub use metadata::*;
pub use mounts::*;
pub use process::*;
pub use sockets::*;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const EPERM: Self = Self(1);
    pub const ENOENT: Self = Self(2);
    pub const ESRCH: Self = Self(3);
    pub const EINTR: Self = Self(4);
    pub const EAGAIN: Self = Self(11);
    pub const ENOMEM: Self = Self(12);
    pub const EBUSY: Self = Self(16);
    pub const EEXIST: Self = Self(17);
    pub const ENODEV: Self = Self(19);
    pub const EINVAL: Self = Self(22);
    pub const EROFS: Self = Self(30);
    pub const ENOSYS: Self = Self(38);
    pub const ELOOP: Self = Self(40);
    pub const EPROTO: Self = Self(71);
    pub const EOPNOTSUPP: Self = Self(95);
    pub const ETIMEDOUT: Self = Self(110);
    pub const ESTALE: Self = Self(116);
}

/// What a call gives, or why it failed.
pub type Result<T> = core::result::Result<T, Errno>;

/// A file descriptor. Zero is the warden's own socket and stands for "none" elsewhere.
pub type Fd = i32;

/// The current directory, for the `*at` calls.
pub const AT_FDCWD: Fd = -100;

/// Calls the kernel and tells an error from a result.
///
/// # Safety
/// As [`bare::syscall`].
#[inline(always)]
unsafe fn call(nr: usize, args: [usize; 6]) -> Result<usize> {
    // SAFETY: the caller's promise is passed on.
    let ret = unsafe { bare::syscall(nr, args) };
    if (-4095..0).contains(&ret) { Err(Errno(-ret as i32)) } else { Ok(ret as usize) }
}

/// Calls the kernel with numbers only.
///
/// # Safety
/// No argument may be taken as a pointer by this call.
#[inline(always)]
unsafe fn plain<const N: usize>(nr: usize, args: [usize; N]) -> Result<usize> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: no argument is a pointer, so no memory is at stake.
    unsafe { call(nr, all) }
}

/// A path for the kernel: a byte string that ends with NUL. Everything else is refused.
fn c_path(path: &[u8]) -> Result<usize> {
    match path.last() {
        Some(0) => Ok(path.as_ptr() as usize),
        _ => Err(Errno::EINVAL),
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn now() -> u64 {
    let mut time = [0u64; 2];
    // SAFETY: clock_gettime(2) writes one timespec, which is two words on 64-bit targets.
    let _ = unsafe { call(nr::CLOCK_GETTIME, [1, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    time[0] * 1_000_000_000 + time[1]
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: takes a number and does not return.
        let _ = unsafe { plain(nr::EXIT_GROUP, [code as usize]) };
    }
}
