//! [`Job`]: a guest, its policy, and runs of it that end whatever happens.

use std::ffi::OsStr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use stockade::{Execution, Mount, Policy, Prepared, Program, Report, Result, Stdio};
use stockade_guests::Guest;

use crate::Subject;

/// How long a run may take before it is taken for one that would never end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guest that is about to run.
pub struct Job<'a> {
    subject: &'a dyn Subject,
    /// What it is asked to run under; free to be changed.
    pub policy: Policy,
    /// What runs.
    pub program: Program,
}

impl<'a> Job<'a> {
    /// `guest` under the subject's default policy.
    pub fn new(subject: &'a dyn Subject, guest: &Guest) -> Self {
        let mut policy = subject.policy();
        let program = subject.program(&mut policy, guest);
        Self { subject, policy, program }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.program = self.program.args(args);
        self
    }

    /// Adds a mount.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.policy.filesystem.mounts.push(mount);
        self
    }

    /// Changes the policy.
    #[must_use]
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Prepares it.
    ///
    /// # Errors
    /// The backend's.
    pub fn try_prepare(&self) -> Result<Box<dyn Prepared>> {
        self.subject.sandbox().prepare(&self.policy, &self.program)
    }

    /// Prepares it.
    ///
    /// # Panics
    /// If that fails.
    pub fn prepare(&self) -> Box<dyn Prepared> {
        self.try_prepare().expect("the policy can be met")
    }

    /// Starts it.
    ///
    /// # Panics
    /// If that fails.
    pub fn start(&self, stdio: Stdio) -> Box<dyn Execution> {
        self.prepare().start(stdio).expect("the run starts")
    }

    /// Runs it to its end with captured output and no input.
    ///
    /// # Panics
    /// If that fails.
    pub fn run(&self) -> Report {
        self.run_with(Stdio::captured())
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If that fails.
    pub fn run_with(&self, stdio: Stdio) -> Report {
        Self::wait(self.start(stdio)).expect("the run is reported")
    }

    /// Waits for the end of a run; stops it when it takes unreasonably long, so that a limit that
    /// does not hold fails a test rather than stops all of them.
    ///
    /// # Errors
    /// The backend's.
    pub fn wait(execution: Box<dyn Execution>) -> Result<Report> {
        let killer = execution.killer();
        let (over, watched) = channel::<()>();
        thread::spawn(move || {
            if watched.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                killer.kill();
            }
        });
        let result = execution.wait();
        drop(over);
        result
    }
}
