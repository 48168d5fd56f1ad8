//! Forks of the host: a child has the locks of its parent's other threads, which nobody will ever open.
//! So what takes locks of the whole process is shut out while the process forks.
#![allow(unsafe_code, reason = "pthread_atfork(3) has no safe interface")]

use std::cell::{Cell, RefCell};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held to read by what a fork must not cut in two, to write by a fork.
static FORKS: RwLock<()> = RwLock::new(());

thread_local! {
    /// The fork that this thread is about.
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
    /// How often this thread keeps forks out.
    static KEPT_OUT: Cell<usize> = const { Cell::new(0) };
}

/// While this is held, no other thread forks.
pub(crate) struct NoFork {
    _held: RwLockReadGuard<'static, ()>,
}

impl Drop for NoFork {
    fn drop(&mut self) {
        KEPT_OUT.set(KEPT_OUT.get() - 1);
    }
}

/// Keeps forks out.
pub(crate) fn none() -> NoFork {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the three functions are there as long as the process is, since the library is
        // linked so that it is never unloaded; they take no argument and do not unwind.
        // Without memory for it there are no gates, and forks are as POSIX has them.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    });
    let held = FORKS.read().unwrap_or_else(PoisonError::into_inner);
    KEPT_OUT.set(KEPT_OUT.get() + 1);
    NoFork { _held: held }
}

extern "C" fn before() {
    // A handler of a signal that forks in the middle of a call would wait for itself.
    if KEPT_OUT.try_with(Cell::get).unwrap_or(0) > 0 {
        return;
    }
    let guard = FORKS.write().unwrap_or_else(PoisonError::into_inner);
    // A thread that ends has no such variable any more, and forks without.
    let _ = FORKING.try_with(|forking| forking.replace(Some(guard)));
}

extern "C" fn after() {
    let _ = FORKING.try_with(RefCell::take);
}
