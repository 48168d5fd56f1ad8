//! The benchmark of isolation modes.

use pyo3::prelude::*;
use stockade::bench::{self, Options, Progress, Stopped};

use crate::errors::defect;
use crate::signals;

/// Stops when a signal's handler raises.
struct Watcher;

impl Progress for Watcher {
    fn at(&self, _part: &str, _done: usize, _all: usize) -> Result<(), Stopped> {
        if signals::go_on()() { Ok(()) } else { Err(Stopped) }
    }
}

/// Measures isolation modes side by side: the results as JSON, and as a page.
#[pyfunction]
#[pyo3(signature = (quick=false, rounds=None))]
pub(crate) fn benchmark(
    py: Python<'_>,
    quick: bool,
    rounds: Option<usize>,
) -> PyResult<(String, String)> {
    let mut options = Options::default();
    options.quick = quick;
    options.rounds = rounds;
    options.command = format!("stockade.bench(quick={})", if quick { "True" } else { "False" });
    let results = py.detach(|| bench::measure(&options, &Watcher));
    signals::check()?;
    let results = results.map_err(defect)?;
    Ok((serde_json::to_string(&results).map_err(defect)?, bench::page(&results)))
}
