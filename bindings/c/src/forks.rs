//! Forks of the host: a child has the locks of its parent's other threads, which nobody will ever open.
//! So what takes locks of the whole process is shut out while the process forks.
#![allow(unsafe_code, reason = "pthread_atfork(3) has no safe interface")]

use std::cell::RefCell;
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Held to read by what a fork must not cut in two, to write by a fork.
static FORKS: RwLock<()> = RwLock::new(());

thread_local! {
    /// The fork that this thread is about.
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// No fork comes while this is held. Not to be held while a function of the host is called: that might
/// fork.
pub(crate) fn none() -> RwLockReadGuard<'static, ()> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the three functions are there as long as the process is, since the library is
        // linked so that it is never unloaded; they take no argument and do not unwind.
        // Without memory for it there are no gates, and forks are as POSIX has them.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    });
    FORKS.read().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn before() {
    let guard = FORKS.write().unwrap_or_else(PoisonError::into_inner);
    // A thread that ends has no such variable any more, and forks without.
    let _ = FORKING.try_with(|forking| forking.replace(Some(guard)));
}

extern "C" fn after() {
    let _ = FORKING.try_with(RefCell::take);
}
