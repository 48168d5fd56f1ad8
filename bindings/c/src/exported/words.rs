//! Versions, names, strings, and what this host can enforce.

use std::ffi::{CStr, c_char};
use std::ptr;

use stockade::doctor::{Backend, Findings};

use super::handles::Error;
use super::pointers::{Place, always, answer, free_text};
use crate::failure::Failure;
use crate::forks;
use crate::signals::NoSigpipe;

/// The version of the library that runs, such as "0.1.0". STOCKADE_VERSION is that of the header.
///
/// The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The word that policies, reports and errors have for a number of this header: of a status, a backend, a
/// control, a verdict, a state of enforcement, a choice of stockade_policy_set or an access. "limit" for
/// STOCKADE_VERDICT_LIMIT, "wall_time" for STOCKADE_CONTROL_WALL_TIME.
///
/// The string is static; NULL for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_name(number: i32) -> *const c_char {
    always(ptr::null(), || crate::words::c_name(number).map_or(ptr::null(), CStr::as_ptr))
}

/// Frees a string that a function of this library gave by a `char **`. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_string_free(string: *mut c_char) {
    free_text(string);
}

/// What this host can enforce, by backend and control, and how to mend what it cannot, as JSON. It is found
/// out by running programs in sandboxes, which takes a second or so. The manual describes the members.
///
/// Errors: STOCKADE_INVALID_ARGUMENT, STOCKADE_INTERNAL. A host that can enforce nothing is no error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_doctor_json(
    json: *mut *mut c_char,
    error: *mut *mut Error,
) -> i32 {
    answer(error, || {
        let json = Place::new(json, "json")?;
        let _quiet = NoSigpipe::hold();
        let _no_fork = forks::none();
        let findings = Findings::gather(&Backend::ALL);
        json.give_text(serde_json::to_string(&findings).map_err(Failure::defect)?);
        Ok(())
    })
}
