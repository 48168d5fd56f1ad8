//! [`Interrupts`]: Ctrl-C and SIGTERM end the program, then the command.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, signal_name};
use stockade::Killer;

/// Listens for signals that ask the command to end.
#[derive(Clone, Default)]
pub(crate) struct Interrupts {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The first signal that came; 0 while there was none.
    signal: AtomicI32,
    killer: OnceLock<Arc<dyn Killer>>,
}

impl Interrupts {
    /// Starts to listen. The first signal kills the program, a second one ends this process the
    /// way it would have without a handler.
    pub(crate) fn listen() -> io::Result<Self> {
        let interrupts = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let listener = interrupts.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                listener.came(signal);
            }
        })?;
        Ok(interrupts)
    }

    fn came(&self, signal: i32) {
        let first =
            self.shared.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_err() {
            // Fails only for a signal that cannot be caught.
            let _: io::Result<()> = emulate_default_handler(signal);
        }
        if let Some(killer) = self.shared.killer.get() {
            killer.kill();
        }
    }

    /// From now on a signal kills this run; at once if it came before.
    pub(crate) fn kills(&self, killer: Arc<dyn Killer>) {
        let killer = self.shared.killer.get_or_init(|| killer);
        // The listener stores the signal before it looks for the killer, so one of the two sees
        // the other.
        if self.signal().is_some() {
            killer.kill();
        }
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.shared.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}

/// What to tell the user about `signal`, and what it did.
pub(crate) fn notice(signal: i32, done: &str) -> String {
    format!("interrupted by {}: {done}", name(signal))
}

/// The name of `signal`.
pub(crate) fn name(signal: i32) -> &'static str {
    signal_name(signal).unwrap_or("a signal")
}
