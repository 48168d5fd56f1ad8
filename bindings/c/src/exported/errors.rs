//! What went wrong.

use std::ffi::{CStr, c_char};
use std::ptr;

use super::handles::Error;
use super::pointers::{Place, answer, needed};

/// It worked.
pub const STOCKADE_OK: i32 = 0;
/// A policy or a description of a program is wrong; the message names the key and the value.
pub const STOCKADE_INVALID_POLICY: i32 = 1;
/// This host or backend cannot enforce what was asked, and nothing was started.
pub const STOCKADE_UNSUPPORTED: i32 = 2;
/// A program, a file or a function that was named does not exist.
pub const STOCKADE_NOT_FOUND: i32 = 3;
/// The host denied access to something that was named.
pub const STOCKADE_PERMISSION_DENIED: i32 = 4;
/// Building the sandbox failed; the message has the step and the reason.
pub const STOCKADE_SETUP: i32 = 5;
/// What held the sandbox is gone, or the object belongs to the parent of this process.
pub const STOCKADE_HOST_LOST: i32 = 6;
/// Reading or writing the program's streams failed.
pub const STOCKADE_IO: i32 = 7;
/// A defect in Stockade.
pub const STOCKADE_INTERNAL: i32 = 8;
/// An argument makes no sense: NULL, text that is not UTF-8, an unknown number, or something used in an
/// order that makes no sense. The message names it.
pub const STOCKADE_INVALID_ARGUMENT: i32 = 9;
/// A call of an instance did not return: a limit, a trap, an exit or a kill has ended the instance.
pub const STOCKADE_ENDED: i32 = 10;

/// The kind of an error, which is the status that the call returned. STOCKADE_OK for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_error_kind(error: Option<&Error>) -> i32 {
    error.map_or(STOCKADE_OK, |error| error.told.kind)
}

/// What went wrong, with its causes, in one line without a full stop. It names the argument, the key or the
/// file.
///
/// The string belongs to the error. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_error_message(error: Option<&Error>) -> *const c_char {
    error.map_or(ptr::null(), |error| error.told.message().as_ptr())
}

/// What to do about it, in one line.
///
/// The string belongs to the error. NULL for NULL, and where there is no advice.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_error_hint(error: Option<&Error>) -> *const c_char {
    error.and_then(|error| error.told.hint()).map_or(ptr::null(), CStr::as_ptr)
}

/// Everything known of an error, as JSON: `kind` as a word, `message`, `hint`, `errno` of the system or null,
/// and `unmet`, the controls that this host cannot enforce, each with `control`, `reason`, `fix` and
/// `approximable`.
///
/// Errors: STOCKADE_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stockade_error_json(
    error: Option<&Error>,
    json: *mut *mut c_char,
    failure: *mut *mut Error,
) -> i32 {
    answer(failure, || {
        let error = needed(error, "error")?;
        Place::new(json, "json")?.give_text(error.told.json().to_owned());
        Ok(())
    })
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn stockade_error_free(error: Option<Box<Error>>) {
    drop(error);
}
