//! Descriptors that Python names by their number.
#![allow(unsafe_code, reason = "the one place where a number becomes a descriptor")]

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

/// A duplicate of the descriptor with this number, which the caller keeps.
pub(crate) fn duplicate(number: RawFd) -> PyResult<OwnedFd> {
    if number < 0 {
        return Err(PyValueError::new_err(format!("{number} is no descriptor")));
    }
    // SAFETY: `borrow_raw` wants a descriptor that stays open while it is borrowed, and is not -1.
    // It is borrowed for the length of one call, `fcntl(F_DUPFD_CLOEXEC)`, which takes any number: one
    // that is not open gives EBADF, and one that another thread replaced meanwhile is what the caller
    // would have got by using the number itself.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(borrowed.try_clone_to_owned()?)
}
