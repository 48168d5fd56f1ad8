//! [`Report`]: the account of a run.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stockade::Verdict;

use crate::errors::defect;

/// The account of one run.
#[pyclass(frozen, module = "stockade._native")]
pub(crate) struct Report {
    inner: Arc<stockade::Report>,
}

/// The signal by which Stockade ends what it stops, and the one that stands for a trap.
const KILL: i32 = 9;
const ABORT: i32 = 6;

impl From<stockade::Report> for Report {
    fn from(inner: stockade::Report) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl From<Arc<stockade::Report>> for Report {
    fn from(inner: Arc<stockade::Report>) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl Report {
    /// The verdict as `subprocess` has it: the status, or minus the number of a signal.
    #[getter]
    fn returncode(&self) -> i32 {
        match &self.inner.verdict {
            Verdict::Exited { code } => *code,
            Verdict::Signaled { number, .. } => -number,
            Verdict::Trapped { .. } => -ABORT,
            _ => -KILL,
        }
    }

    /// Whether a control stopped it: which one.
    #[getter]
    fn stopped_by(&self) -> Option<&'static str> {
        match &self.inner.verdict {
            Verdict::Limit { control, .. } | Verdict::Denied { control, .. } => {
                Some(control.name())
            }
            _ => None,
        }
    }

    #[getter]
    fn stdout<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.stdout)
    }

    #[getter]
    fn stderr<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.stderr)
    }

    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&*self.inner).map_err(defect)
    }
}
