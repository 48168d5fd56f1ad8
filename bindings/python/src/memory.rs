//! [`Memory`]: a guest's memory, lent to a Python function while the guest calls it.
#![allow(unsafe_code, reason = "Python has no lifetimes, and the engine's call has one")]

use std::borrow::Cow;
use std::cell::Cell;
use std::ptr::NonNull;

use pyo3::exceptions::{PyIndexError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use stockade::wasm::{HostCall, OutOfBounds};

/// The memory of the guest that calls.
#[pyclass(unsendable, module = "stockade._native")]
pub(crate) struct Memory {
    /// There while the call lasts.
    call: Cell<Option<NonNull<HostCall<'static>>>>,
}

impl Memory {
    /// Lends the guest's memory to `work`, and takes it back.
    pub(crate) fn lend<'py, T>(
        py: Python<'py>,
        call: &mut HostCall<'_>,
        work: impl FnOnce(Bound<'py, Self>) -> PyResult<T>,
    ) -> PyResult<T> {
        let call = NonNull::from(call).cast::<HostCall<'static>>();
        let memory = Bound::new(py, Self { call: Cell::new(Some(call)) })?;
        let _back = Back(memory.clone());
        work(memory)
    }

    fn with<T>(&self, work: impl FnOnce(&mut HostCall<'_>) -> T) -> PyResult<T> {
        let mut call = self.call.get().ok_or_else(|| {
            PyRuntimeError::new_err("a guest's memory can be used while the guest calls, not later")
        })?;
        // SAFETY: the pointer is to what `lend` borrows mutably, and `Back` removes it before that
        // borrow ends, also when `work` of `lend` unwinds. The class is `unsendable`, so this is the
        // thread of the call. No Python runs while `work` has the reference, so there is no second
        // one.
        Ok(work(unsafe { call.as_mut() }))
    }
}

/// Takes the memory back.
struct Back<'py>(Bound<'py, Memory>);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.borrow().call.set(None);
    }
}

fn outside(out: OutOfBounds) -> PyErr {
    PyIndexError::new_err(out.to_string())
}

#[pymethods]
impl Memory {
    /// Copies `length` bytes at `at`.
    fn read<'py>(&self, py: Python<'py>, at: u32, length: u32) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(|call| call.read(at, length))?.map_err(outside)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Copies `data` to `at`.
    fn write(&self, at: u32, data: Cow<'_, [u8]>) -> PyResult<()> {
        self.with(|call| call.write(at, &data))?.map_err(outside)
    }
}
