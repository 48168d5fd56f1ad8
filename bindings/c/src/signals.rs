//! Signals of the host: none of its handlers runs on a thread of this library's, and writing to a pipe
//! that nobody reads does not end its process.
#![allow(unsafe_code, reason = "masks of signals have no safe interface")]

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, sigset_t, timespec};

/// While this is held, a write to a pipe without a reader fails, and does nothing else.
pub(crate) struct NoSigpipe {
    /// Whether the signal was let through before.
    open: bool,
}

impl NoSigpipe {
    pub(crate) fn hold() -> Self {
        let old = change(libc::SIG_BLOCK, &only(libc::SIGPIPE));
        // SAFETY: the set was written by the kernel, and the signal is one.
        Self { open: unsafe { libc::sigismember(&raw const old, libc::SIGPIPE) } == 0 }
    }
}

impl Drop for NoSigpipe {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let set = only(libc::SIGPIPE);
        let now = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: set and time are complete, and nothing is wanted of the signal that is taken. One
        // that is waiting here came by a write of this thread: it was let through before.
        unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const now) };
        change(libc::SIG_UNBLOCK, &set);
    }
}

/// While this is held, threads are made that no signal of the host is given to, but what an instruction of
/// their own causes: a module may run on one, whose traps are such signals.
pub(crate) struct NoSignals {
    old: sigset_t,
}

impl NoSignals {
    pub(crate) fn hold() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: the set is written before it is read, and the signals are some.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                libc::sigdelset(all.as_mut_ptr(), signal);
            }
            all.assume_init()
        };
        Self { old: change(libc::SIG_BLOCK, &all) }
    }
}

impl Drop for NoSignals {
    fn drop(&mut self) {
        change(libc::SIG_SETMASK, &self.old);
    }
}

/// Changes this thread's mask; gives the one before.
fn change(how: c_int, set: &sigset_t) -> sigset_t {
    let mut old = MaybeUninit::zeroed();
    // SAFETY: `set` is complete, and the old mask is written to a place of its type; zeros are one,
    // should the call fail, which with these three ways it cannot.
    unsafe {
        libc::pthread_sigmask(how, set, old.as_mut_ptr());
        old.assume_init()
    }
}

fn only(signal: c_int) -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is written before it is read, and the signal is one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}
