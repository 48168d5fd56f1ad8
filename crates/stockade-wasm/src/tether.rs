//! [`Tether`]: what a run is stopped by.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stockade_core::{Control, GoOn, Killer, Limits};

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
    /// CPU seconds a second, if fewer than a thread can use.
    rate: Option<f64>,
    begun: Mutex<Option<Begun>>,
    /// How many threads wait for a change. Waking nobody would cost a system call.
    gate: Mutex<usize>,
    changed: Condvar,
    clock: Arc<Clock>,
    order: Mutex<Order>,
    /// Who is asked whether the run is to go on.
    asker: OnceLock<Asker>,
}

/// Asks the caller, on the guest's thread.
struct Asker {
    go_on: GoOn,
    /// When it was asked last, in nanoseconds of the run's age.
    asked: AtomicU64,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}

/// An order to stop rings until the run is over.
#[derive(Debug)]
enum Order {
    None,
    Ringing(#[expect(dead_code, reason = "rings until it is dropped")] Appointment),
    Over,
}

/// Short against what a user feels, long against what a look costs.
const TURN: Duration = Duration::from_millis(5);
/// The time between two questions whether the run is to go on.
pub(crate) const QUESTION: Duration = Duration::from_millis(50);

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
    pub(crate) fn new(limits: &Limits, clock: Arc<Clock>) -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            wall: limits.wall_time.get(),
            cpu: limits.cpu_time.get(),
            rate: limits
                .cpus
                .map(|cpus| f64::from(cpus.milli()) / 1000.0)
                .filter(|rate| *rate < 1.0),
            begun: Mutex::new(None),
            gate: Mutex::new(0),
            changed: Condvar::new(),
            clock,
            order: Mutex::new(Order::None),
            asker: OnceLock::new(),
        }
    }

    /// Has the guest's thread ask now and then whether to go on. The first who is named is asked.
    pub(crate) fn ask(&self, go_on: GoOn) {
        self.asker.get_or_init(|| Asker { go_on, asked: AtomicU64::new(0) });
    }

    /// Asks whether to go on, if it is time to; called on the guest's thread, and with no lock held,
    /// because who is asked may stop another run, or this one.
    fn question(&self) -> Result<(), Stop> {
        let Some(asker) = self.asker.get() else { return Ok(()) };
        let age = nanos(self.age());
        if age.saturating_sub(asker.asked.load(Ordering::Relaxed)) < nanos(QUESTION) {
            return Ok(());
        }
        asker.asked.store(age, Ordering::Relaxed);
        if (asker.go_on)() {
            return Ok(());
        }
        self.cancelled.store(true, Ordering::Release);
        Err(Stop::Cancelled)
    }

    /// Asks whether to go on, if it is time to, and whether the guest has to stop: what a function of the
    /// host's does in each turn of what may take long. Called on the guest's thread, with no lock held.
    pub(crate) fn look(&self) -> Result<(), Stop> {
        self.question()?;
        self.check()
    }

    /// When the next question is due.
    fn next_question(&self) -> Option<Instant> {
        let asked = Duration::from_nanos(self.asker.get()?.asked.load(Ordering::Relaxed));
        self.begun()?.at.checked_add(asked + QUESTION)
    }

    /// Notes that the guest begins now, on the calling thread.
    pub(crate) fn begin(&self) {
        let begun = Begun { at: Instant::now(), cpu: thread_cpu() };
        if let Some(asker) = self.asker.get() {
            asker.asked.store(0, Ordering::Relaxed);
        }
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    fn begun(&self) -> Option<Begun> {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall time since the guest began.
    pub(crate) fn age(&self) -> Duration {
        self.begun().map_or(Duration::ZERO, |begun| begun.at.elapsed())
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
        let Some(begun) = self.begun() else { return Ok(()) };
        let over = |control, used: Duration, limit: Option<Duration>| match limit {
            Some(limit) if used >= limit => {
                Err(Stop::Limit { control, limit: nanos(limit), observed: nanos(used) })
            }
            _ => Ok(()),
        };
        let wall = begun.at.elapsed();
        // A thread uses no more CPU time than time goes by; its clock is a system call.
        if self.cpu.is_some_and(|limit| wall >= limit) {
            over(Control::CpuTime, thread_cpu().saturating_sub(begun.cpu), self.cpu)?;
        }
        over(Control::WallTime, wall, self.wall)
    }

    /// When a guest that begins now has to be looked at, at the latest: without asking a clock.
    pub(crate) fn first_look(&self) -> Option<Instant> {
        let begun = self.begun()?;
        let question = self.asker.get().map(|_| QUESTION);
        [self.wall, self.cpu, self.turn(), question]
            .into_iter()
            .flatten()
            .filter_map(|time| begun.at.checked_add(time))
            .min()
    }

    /// Whether the run has to stop, as far as another thread can tell: it has its own CPU time.
    pub(crate) fn check_outside(&self) -> Result<(), Stop> {
        self.check_cancelled()?;
        match (self.wall, self.age()) {
            (Some(wall), age) if age >= wall => Err(Stop::Limit {
                control: Control::WallTime,
                limit: nanos(wall),
                observed: nanos(age),
            }),
            _ => Ok(()),
        }
    }

    /// Waits until `until`, or for ever; ends early, and says so with `false`, when the run has to
    /// stop.
    pub(crate) fn sleep_outside(&self, until: Option<Instant>) -> bool {
        let mut gate = self.lock();
        loop {
            let now = Instant::now();
            if self.check_outside().is_err() {
                return false;
            }
            if until.is_some_and(|until| until <= now) {
                return true;
            }
            gate = self.doze(gate, until, now);
        }
    }

    /// Holds up a guest that has used more CPU time than its rate allows; called on its thread.
    pub(crate) fn throttle(&self) -> Result<(), Stop> {
        let (Some(rate), Some(begun)) = (self.rate, self.begun()) else { return Ok(()) };
        let (_, cpu) = self.used();
        match begun.at.checked_add(cpu.div_f64(rate)) {
            Some(earned) if earned > Instant::now() => {
                self.wait_for(Some(earned), || None::<()>).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Whether the caller has asked for the end.
    pub(crate) fn check_cancelled(&self) -> Result<(), Stop> {
        if self.cancelled.load(Ordering::Acquire) { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// How long a guest with a rate runs between two looks.
    fn turn(&self) -> Option<Duration> {
        self.rate.map(|_| TURN)
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
        let turn = self.turn().and_then(|turn| now.checked_add(turn));
        [wall, cpu, turn, self.next_question()].into_iter().flatten().min()
    }

    /// The end of the wall time, if it is limited.
    pub(crate) fn wall_end(&self) -> Option<Instant> {
        self.begun()?.at.checked_add(self.wall?)
    }

    /// Waits until `ready` gives something, the time is over (then `None`), or the guest has to
    /// stop. Wakes whenever [`Tether::notify`] is called.
    pub(crate) fn wait_for<T>(
        &self,
        until: Option<Instant>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Stop> {
        loop {
            self.question()?;
            let gate = self.lock();
            self.check()?;
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return Ok(None);
            }
            let wake = [until, self.next_question()].into_iter().flatten().min();
            drop(self.doze(gate, wake, now));
        }
    }

    /// Sleeps until something changes, `until` has come or the wall time is over.
    fn doze<'a>(
        &self,
        mut gate: MutexGuard<'a, usize>,
        until: Option<Instant>,
        now: Instant,
    ) -> MutexGuard<'a, usize> {
        *gate += 1;
        let mut gate = match [until, self.wall_end()].into_iter().flatten().min() {
            Some(end) => {
                let wait = self.changed.wait_timeout(gate, end.saturating_duration_since(now));
                wait.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner),
        };
        *gate -= 1;
        gate
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for a change of a stream.
    pub(crate) fn notify(&self) {
        let waiting = *self.lock();
        if waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Notes that the run is over.
    pub(crate) fn end(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Order::Over;
        self.notify();
    }

    /// Waits for the end of the run, for this long at most; says whether it has come.
    pub(crate) fn wait_for_end(&self, time: Duration) -> bool {
        let over =
            || matches!(*self.order.lock().unwrap_or_else(PoisonError::into_inner), Order::Over);
        let until = Instant::now() + time;
        let mut gate = self.lock();
        while !over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            *gate += 1;
            let wait = self.changed.wait_timeout(gate, left);
            gate = wait.unwrap_or_else(PoisonError::into_inner).0;
            *gate -= 1;
        }
        true
    }

    /// Waits on the caller's side of a stream until `ready` gives something.
    pub(crate) fn wait_outside<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        let mut gate = self.lock();
        loop {
            if let Some(value) = ready() {
                return value;
            }
            *gate += 1;
            gate = self.changed.wait(gate).unwrap_or_else(PoisonError::into_inner);
            *gate -= 1;
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
