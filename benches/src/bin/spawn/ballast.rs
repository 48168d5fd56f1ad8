//! [`Ballast`]: memory and threads for this process to carry.

use std::fmt;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const BYTES: usize = 2 << 30;
const THREADS: usize = 32;
const PAGE: usize = 4096;
/// How long a working thread sleeps between two allocations.
const NAP: Duration = Duration::from_millis(10);
const ALLOCATION: usize = 256 << 10;

/// What the threads do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// They sleep.
    None,
    /// They allocate, touch and free a little every few milliseconds. More would measure who
    /// gets the processors, rather than what a spawn costs.
    Little,
}

/// Memory that is touched and threads that are alive, until dropped.
pub(crate) struct Ballast {
    memory: Vec<u8>,
    work: Work,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ballast {
    pub(crate) fn new(work: Work) -> Self {
        let mut memory = vec![0; BYTES];
        touch(&mut memory);
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..THREADS).map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(NAP);
                    if work == Work::Little {
                        touch(&mut vec![0; ALLOCATION]);
                    }
                }
            })
        });
        Self { memory, work, over: Arc::clone(&over), threads: threads.collect() }
    }
}

fn touch(memory: &mut [u8]) {
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    hint::black_box(memory);
}

impl fmt::Display for Ballast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.memory.len() >> 30;
        let doing = match self.work {
            Work::None => "that sleep".to_owned(),
            Work::Little => {
                format!("that touch {} KiB every {} ms", ALLOCATION >> 10, NAP.as_millis())
            }
        };
        write!(f, "{gib} GiB and {} threads {doing}", self.threads.len())
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to hold.
            let _ = thread.join();
        }
    }
}
