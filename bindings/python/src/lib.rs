//! The native half of Stockade's Python package.
//!
//! It converts and owns, and decides nothing: what users see is written in Python, in
//! `python/stockade`. Policies and reports cross the border as JSON, streams as descriptors, and
//! every wait happens without the interpreter's lock.

mod descriptors;
mod diagnosis;
mod errors;
mod gate;
mod image;
mod memory;
mod module;
mod owned;
mod policy;
mod report;
mod running;
mod sandbox;
mod signals;
mod stdio;

/// What `stockade._native` holds.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::diagnosis::{attack, benchmark, examine};
    #[pymodule_export]
    use super::gate::{after_fork, before_fork, close};
    #[pymodule_export]
    use super::image::{Image, Root, Store};
    #[pymodule_export]
    use super::memory::Memory;
    #[pymodule_export]
    use super::module::{Instance, Library};
    #[pymodule_export]
    use super::policy::Policy;
    #[pymodule_export]
    use super::report::Report;
    #[pymodule_export]
    use super::running::Running;
    #[pymodule_export]
    use super::sandbox::{Prepared, Sandbox, names_a_module};

    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        super::gate::open();
        Ok(())
    }

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
