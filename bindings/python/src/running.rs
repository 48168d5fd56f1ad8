//! [`Running`]: a run that goes on by itself.

use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use rustix::event::{EventfdFlags, eventfd};
use stockade::{Execution, Killer, Report as Account, Result as Ended, Verdict};

use crate::errors::{defect, raise};
use crate::gate;
use crate::owned::Owned;
use crate::report::Report;
use crate::stdio::{News, Streams};

/// How long the main thread waits between two looks at its signals.
const TURN: Duration = Duration::from_millis(50);

/// How long what a stopped run has printed may take to where it goes.
const PATIENCE: Duration = Duration::from_secs(1);

/// A run that a thread of its own waits for, named `stockade-run`. Dropping it kills the run.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Running {
    run: Owned<Watched>,
}

struct Watched {
    end: Arc<End>,
    killer: Arc<dyn Killer>,
    news: Sender<News>,
    /// The caller's ends of stdin, stdout and stderr; they are its to close.
    pipes: [Option<RawFd>; 3],
}

/// What the thread leaves when the run is over.
struct End {
    outcome: Mutex<Option<Result<Arc<stockade::Report>, Arc<stockade::Error>>>>,
    came: Condvar,
    /// Can be read from then on.
    bell: OwnedFd,
}

impl Watched {
    fn kill(&self) {
        self.killer.kill();
        // Nobody hears it when the run is over.
        let _ = self.news.send(News::Stopped);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    /// Has a thread wait for `run`, and others move its streams.
    pub(crate) fn watch(mut run: Box<dyn Execution>, streams: Option<Streams>) -> io::Result<Self> {
        let (news, heard) = mpsc::channel();
        let (pipes, awaited) = match streams {
            Some(streams) => streams.connect(&mut *run, &news)?,
            None => ([None, None, None], 0),
        };
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let end = Arc::new(End { outcome: Mutex::new(None), came: Condvar::new(), bell });
        let killer = run.killer();
        let teller = Arc::clone(&end);
        let thread = thread::Builder::new().name("stockade-run".to_owned());
        thread.spawn(move || {
            let outcome = run.wait();
            settle(&outcome, awaited, &heard);
            teller.tell(outcome);
        })?;
        let pipes = pipes.map(|pipe| pipe.map(IntoRawFd::into_raw_fd));
        Ok(Self { run: Owned::new(Watched { end, killer, news, pipes }) })
    }
}

/// Waits until the outputs are where they go. A program of the host has written all of it when it
/// ends; this one has written it into Stockade's hands.
fn settle(outcome: &Ended<Account>, awaited: usize, heard: &Receiver<News>) {
    let ended = outcome.as_ref().is_ok_and(|report| {
        matches!(report.verdict, Verdict::Exited { .. } | Verdict::Signaled { .. })
    });
    let mut until = (!ended).then(|| Instant::now() + PATIENCE);
    let mut left = awaited;
    while left > 0 {
        let news = match until {
            None => heard.recv().ok(),
            Some(until) => heard.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
        };
        match news {
            Some(News::Moved) => left -= 1,
            Some(News::Stopped) => until = until.or(Some(Instant::now() + PATIENCE)),
            None => return,
        }
    }
}

impl End {
    fn tell(&self, outcome: stockade::Result<stockade::Report>) {
        let outcome = outcome.map(Arc::new).map_err(Arc::new);
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.came.notify_all();
        // A counter that is at its end already rings all the same.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    fn report(&self) -> Option<Result<Arc<stockade::Report>, Arc<stockade::Error>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end, for this long at most.
    fn wait(&self, time: Duration) -> bool {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.came.wait_timeout_while(outcome, time, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }
}

#[pymethods]
impl Running {
    /// The numbers of the caller's ends of stdin, stdout and stderr.
    #[getter]
    fn pipes(&self) -> PyResult<(Option<RawFd>, Option<RawFd>, Option<RawFd>)> {
        let [stdin, stdout, stderr] = self.run.get()?.pipes;
        Ok((stdin, stdout, stderr))
    }

    /// The report, if the run is over.
    fn poll(&self) -> PyResult<Option<Report>> {
        match self.run.get()?.end.report() {
            None => Ok(None),
            Some(Ok(report)) => Ok(Some(report.into())),
            Some(Err(error)) => Err(raise(&error)),
        }
    }

    /// Waits for the end, for this many seconds at most, and looks at signals meanwhile; says whether
    /// it has come.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let end = Arc::clone(&self.run.get()?.end);
        let limit = timeout
            .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)))
            .transpose()
            .map_err(defect)?;
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let turn = left.map_or(TURN, |left| left.min(TURN));
            if gate::detach(py, || end.wait(turn)) {
                return Ok(true);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left <= turn) {
                return Ok(false);
            }
        }
    }

    /// Stops the run.
    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.run.get()?;
        gate::detach(py, || run.kill());
        Ok(())
    }

    /// A descriptor that can be read once the run is over; it is this object's.
    fn fileno(&self) -> PyResult<RawFd> {
        Ok(self.run.get()?.end.bell.as_raw_fd())
    }
}
