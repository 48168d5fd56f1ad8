//! Signals of the interpreter, looked at while the main thread waits for a run.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use pyo3::prelude::*;
use stockade::GoOn;
use stockade::wasm::HostError;

use crate::gate;

thread_local! {
    /// What a signal's handler raised on this thread while a run was waited for.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Has a wait look for signals: a handler that raises, as that of Ctrl-C does, ends the run. In other
/// threads than the main one Python has no signals to look at.
pub(crate) fn go_on() -> GoOn {
    static GO_ON: LazyLock<GoOn> = LazyLock::new(|| Arc::new(look));
    Arc::clone(&GO_ON)
}

fn look() -> bool {
    // An interpreter that is shutting down runs nothing any more.
    let looked = gate::attach(|py| match py.check_signals() {
        Ok(()) => true,
        Err(raised) => {
            RAISED.set(Some(raised));
            false
        }
    });
    looked.unwrap_or(false)
}

/// Keeps an exception of a function that a guest called, for the guest's caller.
pub(crate) fn carry(error: PyErr) -> HostError {
    let text = error.to_string();
    keep(error);
    text.into()
}

/// Keeps an exception for the end of the call that this thread is in.
pub(crate) fn keep(error: PyErr) {
    RAISED.set(Some(error));
}

/// Passes on what a handler raised, or a function that was called, in what has just ended.
pub(crate) fn check() -> PyResult<()> {
    RAISED.take().map_or(Ok(()), Err)
}
