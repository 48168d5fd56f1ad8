//! What only many runs, many deaths or many sandboxes at once can show: four programs, and here
//! what they share.
//!
//! * `host_death` kills hosts and wardens at random moments and looks for what is left of them;
//! * `pids` runs programs where process ids are scarce and looks whether somebody else is killed;
//! * `soak` runs a great many programs and looks for what grows;
//! * `crowd` has a great many sandboxes alive at once, and starts, stops and drops them from many
//!   threads.
//!
//! Each takes its counts as options, prints its seed, and exits with 1 when something was wrong.

pub mod flat;
pub mod mix;
mod options;
pub mod processes;
mod random;
pub mod sample;
pub mod traces;
mod watchdog;

pub use options::{Options, Record};
pub use random::Random;
pub use watchdog::{Seat, Watchdog};

/// What ends a program early.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

use std::thread;
use std::time::{Duration, Instant};

/// Waits until `done`, at most for `patience`; the time it took, or `None` if that was not enough.
pub fn soon(patience: Duration, mut done: impl FnMut() -> bool) -> Option<Duration> {
    let begun = Instant::now();
    loop {
        if done() {
            return Some(begun.elapsed());
        }
        if begun.elapsed() >= patience {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The namespace backend; `None`, and a line that says so, where this host refuses it and was not
/// declared to have it.
///
/// # Errors
/// The backend's, and a refusal of what `STOCKADE_TEST_EXPECT` declares.
pub fn native(program: &str) -> Result<Result<stockade::NamespaceSandbox, String>, Failure> {
    match stockade::NamespaceSandbox::new() {
        Ok(sandbox) => Ok(Ok(sandbox)),
        Err(error) if error.kind() == stockade::ErrorKind::Unsupported => {
            let declared = std::env::var("STOCKADE_TEST_EXPECT").unwrap_or_default();
            match declared.split(',').any(|word| word.trim() == "userns") {
                true => Err(format!("the host was declared to have userns: {error}").into()),
                false => Ok(Err(format!("SKIP: {program}: {error}"))),
            }
        }
        Err(error) => Err(error.into()),
    }
}
