//! [`Jobs`]: lines become jobs of the batch.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stockade::batch::Job;
use stockade::{Policy, Result};

use super::job::{Asked, LineError};
use super::lines::Line;
use crate::args::BackendArg;
use crate::backend::{self, Backends, Choice};

/// How often it is looked whether anybody still wants a job, while none comes.
const PAUSE: Duration = Duration::from_millis(50);

/// The jobs of the input, in its order. The batch asks for them in a thread of its own.
pub(super) struct Jobs {
    lines: Receiver<io::Result<Line>>,
    backend: BackendArg,
    policy: Arc<Policy>,
    backends: Backends,
    ledger: Arc<Ledger>,
    count: usize,
}

/// What has to be known of a job when it has ended.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: u64,
    pub(super) id: Value,
    /// Why its backend was chosen.
    pub(super) reason: Option<&'static str>,
}

/// What the thread that reads jobs and the one that writes reports share.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<HashMap<usize, Entry>>,
    failure: Mutex<Option<io::Error>>,
    position: AtomicU64,
    closed: AtomicBool,
}

impl Jobs {
    pub(super) fn new(
        lines: Receiver<io::Result<Line>>,
        backend: BackendArg,
        policy: Arc<Policy>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self { lines, backend, policy, backends: Backends::default(), ledger, count: 0 }
    }

    fn line(&self) -> Option<Line> {
        loop {
            match self.lines.recv_timeout(PAUSE) {
                Ok(Ok(line)) => return Some(line),
                Ok(Err(error)) => {
                    *lock(&self.ledger.failure) = Some(error);
                    return None;
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    if self.ledger.closed.load(Ordering::Relaxed) {
                        return None;
                    }
                }
            }
        }
    }

    /// The job of a line, and what to know of it.
    fn job(&mut self, line: Line) -> (Entry, Result<Job>) {
        let number = line.number;
        let mut entry = Entry { line: number, id: Value::Null, reason: None };
        let Some(text) = line.text else {
            return (entry, Err(LineError::TooLong { number }.into()));
        };
        let (id, asked) = Asked::read(number, &text);
        drop(text);
        entry.id = id;
        let job = asked.map_err(Into::into).and_then(|asked| self.make(asked, &mut entry));
        (entry, job)
    }

    fn make(&mut self, mut asked: Asked, entry: &mut Entry) -> Result<Job> {
        let input = asked.input(entry.line)?;
        let Choice { program, mount, reason } =
            backend::program(self.backend, OsStr::new(&asked.program))?;
        entry.reason = reason;
        let sandbox = self.backends.suiting(&program)?;
        let mut policy = Arc::clone(&self.policy);
        if mount.is_some() || asked.cwd.is_some() || !asked.env.is_empty() {
            let own = Arc::make_mut(&mut policy);
            own.filesystem.mounts.extend(mount);
            own.process.env.extend(asked.env);
            if let Some(cwd) = asked.cwd {
                own.process.cwd = cwd;
            }
        }
        let job = Job::new(sandbox, policy, program.args(&asked.args));
        Ok(if input.is_empty() { job } else { job.stdin(input) })
    }
}

impl Iterator for Jobs {
    type Item = Result<Job>;

    fn next(&mut self) -> Option<Result<Job>> {
        let line = self.line()?;
        self.ledger.position.store(line.position, Ordering::Relaxed);
        let (entry, job) = self.job(line);
        lock(&self.ledger.entries).insert(self.count, entry);
        self.count += 1;
        Some(job)
    }
}

impl Ledger {
    /// What is known of the job at this place of the input.
    pub(super) fn take(&self, index: usize) -> Entry {
        let entry = lock(&self.entries).remove(&index);
        entry.unwrap_or(Entry { line: 0, id: Value::Null, reason: None })
    }

    /// No further job is wanted.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Why the input could not be read to its end.
    pub(super) fn failure(&self) -> Option<io::Error> {
        lock(&self.failure).take()
    }

    /// How many bytes of the input became jobs.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
