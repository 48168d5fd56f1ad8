//! [`Clock`]: the one thread of the backend. It sleeps until a run is due to be looked at and then
//! bumps the epoch, so that every running guest looks at its own tether.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::Engines;
use crate::handlers::LeftToTheHost;

/// Times at which guests are to be looked at.
#[derive(Debug)]
pub(crate) struct Clock {
    due: Mutex<Due>,
    earlier: Condvar,
    engines: Engines,
    /// The process the thread is in; a forked child has the clock without it.
    owner: u32,
}

#[derive(Debug, Default)]
struct Due {
    times: BTreeSet<(Instant, u64)>,
    late: Vec<Late>,
    next_id: u64,
    /// When the thread wakes by itself; `None` while it is awake.
    wakes: Option<Instant>,
}

/// A time that has come and was not taken off. It rings again: a guest that was just between its
/// look at the tether and its going on has not noticed the first ring.
#[derive(Debug)]
struct Late {
    id: u64,
    again: Instant,
    pause: Duration,
}

/// A time on the clock. Dropping it takes it off.
#[derive(Debug)]
pub(crate) struct Appointment {
    clock: Arc<Clock>,
    entry: (Instant, u64),
}

impl Clock {
    /// Whether the clock's thread is in another process: nothing would ever ring here.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner != std::process::id()
    }

    /// Starts the clock's thread, which ends when the last user of the clock is gone.
    pub(crate) fn start(engines: Engines) -> std::io::Result<Arc<Self>> {
        let clock = Arc::new(Self {
            due: Mutex::new(Due::default()),
            earlier: Condvar::new(),
            engines,
            owner: std::process::id(),
        });
        let weak = Arc::downgrade(&clock);
        let _held = LeftToTheHost::hold();
        thread::Builder::new().name("stockade-epoch".to_owned()).spawn(move || tick(&weak))?;
        Ok(clock)
    }

    /// Has every running guest look at its tether now.
    pub(crate) fn bump(&self) {
        self.engines.bump();
    }

    /// Has guests look at their tethers at `at`.
    pub(crate) fn at(self: &Arc<Self>, at: Instant) -> Appointment {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.next_id += 1;
        let entry = (at, due.next_id);
        due.times.insert(entry);
        // Nearly every deadline is later than the thread wakes anyway.
        let too_late = due.wakes.is_some_and(|wakes| at < wakes);
        drop(due);
        if too_late {
            self.earlier.notify_one();
        }
        Appointment { clock: Arc::clone(self), entry }
    }
}

impl Drop for Appointment {
    fn drop(&mut self) {
        let mut due = self.clock.due.lock().unwrap_or_else(PoisonError::into_inner);
        if !due.times.remove(&self.entry) {
            due.late.retain(|late| late.id != self.entry.1);
        }
    }
}

/// The longest sleep without looking whether anybody still needs the clock.
const LONGEST: Duration = Duration::from_millis(500);
/// The time until the second ring; each later one takes twice as long.
const AGAIN: Duration = Duration::from_millis(1);

impl Due {
    /// When the next ring is due.
    fn next(&self) -> Option<Instant> {
        let first = self.times.first().map(|(at, _)| *at);
        self.late.iter().map(|late| late.again).chain(first).min()
    }

    /// Whether something is due, which is then due again later.
    fn rings(&mut self, now: Instant) -> bool {
        let mut rings = false;
        for late in self.late.iter_mut().filter(|late| late.again <= now) {
            late.pause = (late.pause * 2).min(LONGEST);
            late.again = now + late.pause;
            rings = true;
        }
        while self.times.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, id)) = self.times.pop_first()
        {
            self.late.push(Late { id, again: now + AGAIN, pause: AGAIN });
            rings = true;
        }
        rings
    }
}

fn tick(clock: &Weak<Clock>) {
    while let Some(clock) = clock.upgrade() {
        let mut due = clock.due.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let wait = due.next().map_or(LONGEST, |at| at.saturating_duration_since(now));
        due.wakes = now.checked_add(wait.min(LONGEST));
        let (mut due, _) = clock
            .earlier
            .wait_timeout(due, wait.min(LONGEST))
            .unwrap_or_else(PoisonError::into_inner);
        due.wakes = None;
        let rings = due.rings(Instant::now());
        drop(due);
        if rings {
            clock.bump();
        }
    }
}
