//! System calls.

use super::Errno;
use bare::nr;

/// What a call gives, or why it failed.
pub type Result<T> = core::result::Result<T, Errno>;

/// The current directory, for the `*at` calls.
pub const AT_FDCWD: usize = -100_isize as usize;

pub const O_RDONLY: usize = 0;
pub const O_WRONLY: usize = 1;
pub const O_RDWR: usize = 2;
pub const O_CREAT: usize = 0o100;

/// Makes any call with any arguments.
///
/// It is not marked `unsafe`, because nothing in this program is worth protecting: a pointer that
/// is wrong makes the kernel answer `EFAULT`, or the guest crash, and neither is taken for success.
pub fn call<const N: usize>(number: usize, args: [usize; N]) -> Result<usize> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: see above; buffers handed in are live while the call lasts.
    let ret = unsafe { bare::syscall(number, all) };
    if (-4095..0).contains(&ret) { Err(Errno(-ret as i32)) } else { Ok(ret as usize) }
}

/// The address of a path, which must end with NUL.
pub fn path(path: &[u8]) -> usize {
    debug_assert!(path.last() == Some(&0));
    path.as_ptr() as usize
}

pub fn open(name: &[u8], flags: usize) -> Result<usize> {
    call(nr::OPENAT, [AT_FDCWD, path(name), flags, 0o644])
}

pub fn close(fd: usize) {
    let _ = call(nr::CLOSE, [fd]);
}

pub fn read(fd: usize, buffer: &mut [u8]) -> Result<usize> {
    call(nr::READ, [fd, buffer.as_mut_ptr() as usize, buffer.len()])
}

pub fn write(fd: usize, bytes: &[u8]) -> Result<usize> {
    call(nr::WRITE, [fd, bytes.as_ptr() as usize, bytes.len()])
}

/// Private memory that nothing backs.
pub fn map(len: usize) -> Result<&'static mut [u8]> {
    let at = call(nr::MMAP, [0, len, 3, 0x22, usize::MAX, 0])?;
    // SAFETY: the kernel made this mapping for us alone, readable and writable.
    Ok(unsafe { core::slice::from_raw_parts_mut(at as *mut u8, len) })
}

/// Ends the process.
pub fn exit(code: i32) -> ! {
    loop {
        let _ = call(nr::EXIT_GROUP, [code as usize]);
    }
}
