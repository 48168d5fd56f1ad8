//! Errors: the classes are Python's (`stockade/errors.py`), and this is the one place that makes them.

use std::error::Error as _;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::json;
use stockade::{Error, ErrorKind};

/// The exception for an error of the library.
pub(crate) fn raise(error: &Error) -> PyErr {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    let unmet: Vec<_> = error
        .unmet()
        .iter()
        .map(|unmet| {
            json!({
                "control": unmet.control,
                "reason": unmet.reason,
                "fix": unmet.fix,
                "approximable": unmet.approximable,
            })
        })
        .collect();
    make(error.kind().name(), &message, error.hint(), &json!(unmet).to_string(), errno(error))
}

/// A handle was used in a child of the process that made it.
pub(crate) fn forked() -> PyErr {
    let message = "it belongs to the process that made it, and this is a child of that";
    let hint = "make a new one after os.fork()";
    make(ErrorKind::HostLost.name(), message, Some(hint), "[]", None)
}

/// The error number at the root, if the system gave one.
fn errno(error: &Error) -> Option<i32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.get_ref());
    let mut number = None;
    while let Some(inner) = cause {
        let found = inner.downcast_ref::<std::io::Error>();
        number = found.and_then(std::io::Error::raw_os_error).or(number);
        cause = inner.source();
    }
    number
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
