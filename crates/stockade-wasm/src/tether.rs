//! [`Tether`]: what a run is stopped by.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stockade_core::{Control, Killer};

use crate::clock::{Appointment, Clock};

/// Why a guest does not go on. Travels through wasmtime as the error of a host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The guest ended itself.
    #[error("the guest exited with status {0}")]
    Exit(i32),
    /// A limit was hit.
    #[error("the {control} limit was reached")]
    Limit {
        /// Which limit.
        control: Control,
        /// The limit.
        limit: u64,
        /// What was observed.
        observed: u64,
    },
    /// The caller asked.
    #[error("the run was cancelled")]
    Cancelled,
}

/// A run's cancel flag and deadlines, shared by the guest's thread, the caller and the clock.
#[derive(Debug)]
pub(crate) struct Tether {
    cancelled: AtomicBool,
    wall: Option<Duration>,
    cpu: Option<Duration>,
    begun: Mutex<Option<Begun>>,
    /// Guards nothing: waiting threads are woken through it when something changes.
    gate: Mutex<()>,
    changed: Condvar,
    clock: Arc<Clock>,
    order: Mutex<Order>,
}

/// An order to stop rings until the run is over.
#[derive(Debug)]
enum Order {
    None,
    Ringing(#[expect(dead_code, reason = "rings until it is dropped")] Appointment),
    Over,
}

/// When the guest began, by both clocks.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    cpu: Duration,
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Tether {
    pub(crate) fn new(wall: Option<Duration>, cpu: Option<Duration>, clock: Arc<Clock>) -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            wall,
            cpu,
            begun: Mutex::new(None),
            gate: Mutex::new(()),
            changed: Condvar::new(),
            clock,
            order: Mutex::new(Order::None),
        }
    }

    /// Notes that the guest begins now, on the calling thread.
    pub(crate) fn begin(&self) {
        let begun = Begun { at: Instant::now(), cpu: thread_cpu() };
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    fn begun(&self) -> Option<Begun> {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall and CPU time since the guest began; called on its thread.
    pub(crate) fn used(&self) -> (Duration, Duration) {
        match self.begun() {
            Some(begun) => (begun.at.elapsed(), thread_cpu().saturating_sub(begun.cpu)),
            None => (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Whether the guest has to stop; called on its thread.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        self.check_cancelled()?;
        let (wall, cpu) = self.used();
        let over = |control, used: Duration, limit: Option<Duration>| match limit {
            Some(limit) if used >= limit => {
                Err(Stop::Limit { control, limit: nanos(limit), observed: nanos(used) })
            }
            _ => Ok(()),
        };
        over(Control::CpuTime, cpu, self.cpu)?;
        over(Control::WallTime, wall, self.wall)
    }

    /// When a guest that begins now has to be looked at, at the latest: without asking a clock.
    pub(crate) fn first_look(&self) -> Option<Instant> {
        let begun = self.begun()?;
        [self.wall, self.cpu].into_iter().flatten().filter_map(|d| begun.at.checked_add(d)).min()
    }

    /// Whether the caller has asked for the end.
    pub(crate) fn check_cancelled(&self) -> Result<(), Stop> {
        if self.cancelled.load(Ordering::Acquire) { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// When the guest has to be looked at next, at the latest; called on its thread.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let begun = self.begun()?;
        let now = Instant::now();
        let wall = self.wall.and_then(|wall| begun.at.checked_add(wall));
        let cpu = self.cpu.and_then(|cpu| {
            let left = cpu.saturating_sub(thread_cpu().saturating_sub(begun.cpu));
            now.checked_add(left.max(Duration::from_micros(200)))
        });
        [wall, cpu].into_iter().flatten().min()
    }

    /// The end of the wall time, if it is limited.
    fn wall_end(&self) -> Option<Instant> {
        self.begun()?.at.checked_add(self.wall?)
    }

    /// Waits until `ready` gives something, the time is over (then `None`), or the guest has to
    /// stop. Wakes whenever [`Tether::notify`] is called.
    pub(crate) fn wait_for<T>(
        &self,
        until: Option<Instant>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Stop> {
        let mut gate = self.lock();
        loop {
            self.check()?;
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return Ok(None);
            }
            gate = match [until, self.wall_end()].into_iter().flatten().min() {
                Some(end) => {
                    let wait = self.changed.wait_timeout(gate, end.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for a change of a stream.
    pub(crate) fn notify(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Notes that the run is over.
    pub(crate) fn end(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Order::Over;
        self.notify();
    }

    /// Waits on the caller's side of a stream until `ready` gives something.
    pub(crate) fn wait_outside<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        let mut gate = self.lock();
        loop {
            if let Some(value) = ready() {
                return value;
            }
            gate = self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Killer for Tether {
    fn kill(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.notify();
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Order::None = *order {
            *order = Order::Ringing(self.clock.at(Instant::now()));
        }
        drop(order);
        self.clock.bump();
    }
}
