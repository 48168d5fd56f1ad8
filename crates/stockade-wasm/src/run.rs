//! [`Job`]: a run of a command, from its start to its report.

use std::sync::Arc;
use std::time::Instant;

use stockade_core::{Report, Result, Verdict};

use crate::command::Command;
use crate::session::{Session, nanos, with_stack};
use crate::setting::Setting;
use crate::wasi::Guest;

/// A run that was asked for.
pub(crate) struct Job {
    pub(crate) setting: Arc<Setting>,
    pub(crate) command: Arc<Command>,
    pub(crate) guest: Guest,
}

impl Job {
    /// Runs the guest on this thread.
    pub(crate) fn run(self) -> Result<Report> {
        with_stack(|| {
            let mut session = Session::new(self.command.engine(), self.setting, self.guest);
            let ended = session.run(|work| {
                let (store, built) = work.parts();
                self.command.run(store, built)
            })?;
            let verdict = ended.err().unwrap_or(Verdict::Exited { code: 0 });
            let mut report = session.report(verdict);
            let over = Instant::now();
            drop(session);
            report.timings.teardown_ns = nanos(over.elapsed());
            Ok(report)
        })
    }
}

/// Tells whoever holds a live end that the run is over, however it ended.
impl Drop for Guest {
    fn drop(&mut self) {
        for pipe in [self.stdout.live(), self.stderr.live()].into_iter().flatten() {
            pipe.end_writing();
        }
        if let crate::streams::Source::Live(pipe) = &self.stdin {
            pipe.end_reading();
        }
        self.tether.end();
    }
}
