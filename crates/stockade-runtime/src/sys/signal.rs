//! Signals by their numbers, the real-time ones too, which have no names to be listed by.

use rustix::process::Signal;

/// The highest number of the kernel's.
const LAST: i32 = 64;
/// The C library's own: cancellation, and changes of user of all threads.
const LIBRARY: std::ops::RangeInclusive<i32> = 32..=33;

/// The signal with a number.
pub(crate) fn numbered(number: i32) -> Option<Signal> {
    if !(1..=LAST).contains(&number) || LIBRARY.contains(&number) {
        return None;
    }
    // SAFETY: the number is one of the kernel's and none of the library's, as this asks for. Nothing
    // but the number itself is kept, and it is given to the kernel to send.
    Some(unsafe { Signal::from_raw_unchecked(number) })
}
