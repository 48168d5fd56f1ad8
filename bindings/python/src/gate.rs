//! Where threads leave the interpreter and come back, and what a fork and the interpreter's end wait
//! for.
//!
//! A thread that wants back into an interpreter that is shutting down is ended by Python, in the middle
//! of Rust's frames, which aborts the process. And a child of `fork` has the locks of its parent's other
//! threads, which nobody will ever open. So threads count themselves in, and what takes locks that
//! outlive a call is shut out while the process forks.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// Whether the interpreter is shutting down, and the thread that does it.
static CLOSED: AtomicBool = AtomicBool::new(false);
static CLOSER: Mutex<Option<ThreadId>> = Mutex::new(None);
/// Threads that are about to enter the interpreter.
static ENTERING: AtomicUsize = AtomicUsize::new(0);
/// Held to read by what a fork must not cut in two, to write by a fork.
static FORKS: RwLock<()> = RwLock::new(());

/// How long the interpreter's end waits for threads that are on their way in.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// The fork that this thread is about, and how often it was announced.
    static FORKING: RefCell<(Option<RwLockWriteGuard<'static, ()>>, usize)> =
        const { RefCell::new((None, 0)) };
}

/// On its way into the interpreter.
struct Entering;

impl Entering {
    /// Stays here for ever if the interpreter is shutting down: there is nothing left to do.
    fn new() -> Self {
        ENTERING.fetch_add(1, Ordering::SeqCst);
        let entering = Self;
        if CLOSED.load(Ordering::SeqCst) && !closes() {
            drop(entering);
            loop {
                thread::park();
            }
        }
        entering
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        ENTERING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether this thread is the one that shuts the interpreter down.
fn closes() -> bool {
    *CLOSER.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
}

/// Does `work` without the interpreter's lock.
pub(crate) fn detach<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let (value, entering) = py.detach(|| {
        let value = work();
        (value, Entering::new())
    });
    drop(entering);
    value
}

/// The same for work that takes locks of the whole process; no fork comes in between.
pub(crate) fn detach_whole<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    detach(py, || {
        let _no_fork = FORKS.read().unwrap_or_else(PoisonError::into_inner);
        work()
    })
}

/// Does `work` in the interpreter; `None` if it is shutting down.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let entering = Entering::new();
    Python::try_attach(|py| {
        drop(entering);
        work(py)
    })
}

/// Opens the gate: called when the module is imported.
pub(crate) fn open() {
    CLOSED.store(false, Ordering::SeqCst);
}

/// The interpreter begins to shut down: from now on no other thread enters it.
#[pyfunction]
pub(crate) fn close(py: Python<'_>) {
    *CLOSER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
    CLOSED.store(true, Ordering::SeqCst);
    py.detach(|| {
        let until = Instant::now() + PATIENCE;
        while ENTERING.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// The process is about to fork.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    // Whoever holds it needs no interpreter to go on.
    py.detach(|| {
        FORKING.with_borrow_mut(|(guard, depth)| {
            guard.get_or_insert_with(|| FORKS.write().unwrap_or_else(PoisonError::into_inner));
            *depth += 1;
        });
    });
}

/// The process has forked; called on both sides.
#[pyfunction]
pub(crate) fn after_fork() {
    FORKING.with_borrow_mut(|(guard, depth)| {
        *depth = depth.saturating_sub(1);
        if *depth == 0 {
            *guard = None;
        }
    });
}
