//! [`Running`]: a run that goes on by itself.

use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use stockade::embed::{Background, Streams};
use stockade::{Execution, oci};

use crate::errors::{defect, raise};
use crate::gate;
use crate::owned::Owned;
use crate::report::Report;

/// How long the main thread waits between two looks at its signals.
const TURN: Duration = Duration::from_millis(50);

/// A run in the background. Dropping it kills the run.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Running {
    run: Owned<Background>,
    /// The caller's ends of stdin, stdout and stderr; they are its to close.
    pipes: [Option<RawFd>; 3],
    /// Whose files the program has as its own, if they are an image's.
    _root: Option<Arc<oci::Root>>,
}

impl Running {
    /// Has a thread wait for `run`, and others move its streams.
    pub(crate) fn watch(
        run: Box<dyn Execution>,
        streams: Streams,
        root: Option<Arc<oci::Root>>,
    ) -> io::Result<Self> {
        let run = Background::watch(run, streams)?;
        let pipes = [0, 1, 2].map(|stream| run.take_pipe(stream).map(IntoRawFd::into_raw_fd));
        Ok(Self { run: Owned::new(run), pipes, _root: root })
    }
}

#[pymethods]
impl Running {
    /// The numbers of the caller's ends of stdin, stdout and stderr.
    #[getter]
    fn pipes(&self) -> PyResult<(Option<RawFd>, Option<RawFd>, Option<RawFd>)> {
        self.run.get()?;
        Ok(self.pipes.into())
    }

    /// The report, if the run is over.
    fn poll(&self) -> PyResult<Option<Report>> {
        match self.run.get()?.poll() {
            None => Ok(None),
            Some(Ok(report)) => Ok(Some(report.into())),
            Some(Err(error)) => Err(raise(&error)),
        }
    }

    /// Waits for the end, for this many seconds at most, and looks at signals meanwhile; says whether
    /// it has come.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let run = self.run.get()?;
        let limit = timeout
            .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)))
            .transpose()
            .map_err(defect)?;
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let turn = left.map_or(TURN, |left| left.min(TURN));
            if gate::detach(py, || run.wait(Some(turn))) {
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
        Ok(self.run.get()?.bell().as_raw_fd())
    }
}
