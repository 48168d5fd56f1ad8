//! Memory that is made in other ways than [`map`](super::map).

use super::{Result, refused, through, write};

/// What the kernel has mapped at an address.
pub fn bytes(at: usize, len: usize) -> &'static mut [u8] {
    // SAFETY: callers pass what mmap(2) or shmat(2) gave them, which nothing else knows of.
    unsafe { core::slice::from_raw_parts_mut(at as *mut u8, len) }
}

/// Writes so many bytes to files of this size, all of which stay open.
pub fn fill_files(total: usize, size: usize, open: impl Fn() -> Result<usize>) -> ! {
    let data = [b'x'; 16 << 10];
    for _ in 0..total.div_ceil(size) {
        let file = match open() {
            Ok(file) => file,
            Err(errno) => refused("make a file", errno),
        };
        for _ in 0..size / data.len() {
            if let Err(errno) = write(file, &data) {
                refused("write", errno);
            }
        }
    }
    through(format_args!("{total} bytes are held in files"))
}
