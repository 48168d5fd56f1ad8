//! [`Watchdog`]: notices when something takes so long that it will never end.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it looks.
const PACE: Duration = Duration::from_millis(200);

/// Watches what threads do, one [`Seat`] for each.
#[derive(Debug)]
pub struct Watchdog {
    seats: Arc<Mutex<Vec<Seat>>>,
}

/// What one thread does, and since when.
#[derive(Debug, Clone, Default)]
pub struct Seat {
    work: Arc<Mutex<Option<(&'static str, Instant)>>>,
}

impl Watchdog {
    /// Calls `bark` in a thread of its own when a piece of work takes longer than `patience`.
    pub fn new(patience: Duration, bark: impl Fn(&str) + Send + 'static) -> Self {
        let seats: Arc<Mutex<Vec<Seat>>> = Arc::default();
        let watched = Arc::downgrade(&seats);
        thread::spawn(move || {
            while let Some(seats) = watched.upgrade() {
                for seat in locked(&seats).iter() {
                    if let Some((what, since)) = *locked(&seat.work)
                        && since.elapsed() > patience
                    {
                        bark(&format!("`{what}` has not ended in {:?}", since.elapsed()));
                    }
                }
                drop(seats);
                thread::sleep(PACE);
            }
        });
        Self { seats }
    }

    /// A place for one thread.
    pub fn seat(&self) -> Seat {
        let seat = Seat::default();
        locked(&self.seats).push(seat.clone());
        seat
    }
}

impl Seat {
    /// Does a piece of work under the dog's eyes.
    pub fn watched<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        *locked(&self.work) = Some((what, Instant::now()));
        let result = work();
        *locked(&self.work) = None;
        result
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn work_that_does_not_end_is_noticed_and_other_work_is_not() {
        let (send, barks) = channel();
        let bark = move |what: &str| {
            let _ = send.send(what.to_owned());
        };
        let dog = Watchdog::new(Duration::from_millis(500), bark);
        let seat = dog.seat();
        seat.watched("quick", || ());
        assert!(barks.recv_timeout(Duration::from_secs(1)).is_err());
        let bark = seat.watched("slow", || barks.recv_timeout(Duration::from_secs(20)));
        assert!(bark.expect("it is noticed").contains("slow"));
    }
}
