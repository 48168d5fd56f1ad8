//! What a static program without a C library begins with.
#![no_std]

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod arch;
mod memory;

pub use arch::{STAT_MODE, STAT_OWNER, nr, syscall};

unsafe extern "C" {
    /// Where the program begins; `stack` points to the number of arguments, which pointers to them
    /// follow.
    safe fn bare_main(stack: *const usize) -> !;
}
