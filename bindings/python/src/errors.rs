//! Errors: the classes are Python's (`stockade/errors.py`), and this is the one place that makes them.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::json;
use stockade::embed::{Account, Forked};
use stockade::{Error, ErrorKind};

/// The exception for an error of the library.
pub(crate) fn raise(error: &Error) -> PyErr {
    let Account { kind, message, hint, errno, unmet, .. } = Account::of(error);
    make(kind, &message, hint, &json!(unmet).to_string(), errno)
}

/// A handle was used in a child of the process that made it.
pub(crate) fn forked(forked: Forked) -> PyErr {
    let hint = "make a new one after os.fork()";
    make(ErrorKind::HostLost.name(), &forked.to_string(), Some(hint), "[]", None)
}

fn make(kind: &str, message: &str, hint: Option<&str>, unmet: &str, errno: Option<i32>) -> PyErr {
    Python::attach(|py| {
        // Not kept: where there are several interpreters, each has classes of its own.
        let module = py.import("stockade.errors");
        let made = module.and_then(|module| {
            module.call_method1("from_native", (kind, message, hint, unmet, errno))
        });
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// A defect of the binding itself.
pub(crate) fn defect(what: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(format!("a defect in Stockade: {what}"))
}

/// For `map_err`: the exception for an error of the library.
pub(crate) fn raised(error: Error) -> PyErr {
    raise(&error)
}
