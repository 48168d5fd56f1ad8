//! Processes and time.

use super::{Result, call};
use bare::nr;

pub const SIGKILL: usize = 9;
pub const SIGCHLD: usize = 17;
pub const SIGSTOP: usize = 19;

/// A copy of this process, as fork(2) makes it; 0 in the copy.
pub fn fork() -> Result<usize> {
    call(nr::CLONE, [SIGCHLD, 0, 0, 0, 0])
}

/// Waits for a child, and gives its status as wait4(2) has it.
pub fn wait(pid: usize) -> Result<i32> {
    let mut status = 0_i32;
    call(nr::WAIT4, [pid, &raw mut status as usize, 0, 0])?;
    Ok(status)
}

/// Nanoseconds of the monotonic clock.
pub fn now() -> u64 {
    let mut time = [0_u64; 2];
    let _ = call(nr::CLOCK_GETTIME, [1, time.as_mut_ptr() as usize]);
    time[0] * 1_000_000_000 + time[1]
}

pub fn sleep_ms(ms: u64) {
    let time = [ms / 1000, ms % 1000 * 1_000_000];
    let _ = call(nr::PPOLL, [0, 0, time.as_ptr() as usize, 0, 0]);
}
