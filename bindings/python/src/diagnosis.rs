//! What the host can enforce, attacks on it, and the benchmark of isolation modes.

use pyo3::prelude::*;
use stockade::attacks::Outcome;
use stockade::bench::{self, Options, Progress, Stopped};
use stockade::doctor::{Attacked, Backend, Bout, Findings, Host};

use crate::errors::defect;
use crate::gate;
use crate::policy::Policy;
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
    let results = gate::detach(py, || bench::measure(&options, &Watcher));
    signals::check()?;
    let results = results.map_err(defect)?;
    Ok((serde_json::to_string(&results).map_err(defect)?, bench::page(&results)))
}

/// What this host can enforce, by trying it, as JSON.
#[pyfunction]
pub(crate) fn examine(py: Python<'_>) -> PyResult<String> {
    let findings = gate::detach(py, || Findings::gather(&Backend::ALL));
    serde_json::to_string(&findings).map_err(defect)
}

/// Has attacks try to break a policy, or the default one; how they went, as JSON.
#[pyfunction]
#[pyo3(signature = (policy=None, thorough=false))]
pub(crate) fn attack(
    py: Python<'_>,
    policy: Option<Bound<'_, Policy>>,
    thorough: bool,
) -> PyResult<String> {
    let mut bout = Bout::default();
    bout.policy = policy.map(|policy| (*policy.get().inner).clone());
    bout.thorough = thorough;
    let go_on = signals::go_on();
    let mut seen = |_: &Outcome| if go_on() { Ok(()) } else { Err(Stopped) };
    let attacked = gate::detach(py, || {
        let backends = Backend::ALL.iter().map(|backend| bout.against(*backend, &mut seen));
        Ok(Attacked::conclude(Host::look(), backends.collect::<Result<_, Stopped>>()?))
    });
    signals::check()?;
    let attacked = attacked.map_err(|stopped: Stopped| defect(stopped))?;
    serde_json::to_string(&attacked).map_err(defect)
}
