//! From pointers to values, and back.

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::slice;

use super::errors::STOCKADE_OK;
use super::handles::Error;
use crate::failure::{Failure, Told};
use crate::panics;

/// Does what a function of C is for, and tells how it went.
///
/// # Safety
/// `error` is NULL or a place for a pointer.
pub(super) unsafe fn answer(
    error: *mut *mut Error,
    work: impl FnOnce() -> Result<(), Failure>,
) -> i32 {
    let Err(failure) = panics::caught(work) else { return STOCKADE_OK };
    let told = Told::from(failure);
    let kind = told.kind;
    if !error.is_null() {
        error.write(Box::into_raw(Box::new(Error { told })));
    }
    kind
}

/// Does what a function of C is for that cannot fail.
pub(super) fn always<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    panics::caught(|| Ok(work())).unwrap_or(otherwise)
}

/// Something that must not be NULL.
pub(super) fn needed<T>(pointer: Option<T>, name: &'static str) -> Result<T, Failure> {
    pointer.ok_or_else(|| Failure::null(name))
}

/// A place for a result.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// # Safety
    /// `place` is NULL or a place for a `T`, for the length of the call.
    pub(super) unsafe fn new(place: *mut T, name: &'static str) -> Result<Self, Failure> {
        if place.is_null() { Err(Failure::null(name)) } else { Ok(Self(place)) }
    }

    pub(super) fn put(self, value: T) {
        // SAFETY: by `new`.
        unsafe { self.0.write(value) }
    }
}

impl<T> Place<*mut T> {
    /// Gives C something to own.
    pub(super) fn give(self, value: T) {
        self.put(Box::into_raw(Box::new(value)));
    }
}

impl Place<*mut c_char> {
    /// Gives C a string to own, for `stockade_string_free`.
    pub(super) fn give_text(self, text: String) {
        self.put(crate::failure::text(&text).into_raw());
    }
}

/// # Safety
/// `string` is NULL or was given by [`Place::give_text`].
pub(super) unsafe fn free_text(string: *mut c_char) {
    if !string.is_null() {
        drop(CString::from_raw(string));
    }
}

/// The bytes of a string of C.
///
/// # Safety
/// `string` is NULL or ends with a NUL, and stays as it is for the length of the call.
pub(super) unsafe fn string<'a>(
    string: *const c_char,
    name: &'static str,
) -> Result<&'a OsStr, Failure> {
    optional_string(string).ok_or_else(|| Failure::null(name))
}

/// The same, where NULL is allowed.
///
/// # Safety
/// As [`string`].
pub(super) unsafe fn optional_string<'a>(string: *const c_char) -> Option<&'a OsStr> {
    (!string.is_null()).then(|| OsStr::from_bytes(CStr::from_ptr(string).to_bytes()))
}

/// A string of C, which has to be text.
///
/// # Safety
/// As [`string`].
pub(super) unsafe fn text<'a>(
    pointer: *const c_char,
    name: &'static str,
) -> Result<&'a str, Failure> {
    is_text(string(pointer, name)?, name)
}

/// The same, where NULL is allowed.
///
/// # Safety
/// As [`string`].
pub(super) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    name: &'static str,
) -> Result<Option<&'a str>, Failure> {
    optional_string(pointer).map(|string| is_text(string, name)).transpose()
}

fn is_text<'a>(string: &'a OsStr, name: &'static str) -> Result<&'a str, Failure> {
    string.to_str().ok_or_else(|| Failure::argument(name, "is not UTF-8"))
}

/// Strings up to a NULL.
///
/// # Safety
/// `strings` is NULL, or strings as in [`string`] with a NULL behind the last.
pub(super) unsafe fn strings(strings: *const *const c_char) -> Vec<OsString> {
    let mut found = Vec::new();
    if strings.is_null() {
        return found;
    }
    while let Some(string) = optional_string(*strings.add(found.len())) {
        found.push(string.to_owned());
    }
    found
}

/// A program's name and its arguments.
///
/// # Safety
/// As [`strings`].
pub(super) unsafe fn command(
    argv: *const *const c_char,
) -> Result<(OsString, Vec<OsString>), Failure> {
    let words = if argv.is_null() { Err(Failure::null("argv")) } else { Ok(strings(argv)) }?;
    let mut words = words.into_iter();
    let name = words.next().ok_or_else(|| Failure::argument("argv", "must name a program"))?;
    Ok((name, words.collect()))
}

/// Things in a row. A NULL is none of them.
///
/// # Safety
/// `first` is NULL, or there are `count` of `T` at it, which stay as they are for the length of the call.
pub(super) unsafe fn row<'a, T>(
    first: *const T,
    count: usize,
    name: &'static str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() {
        return Err(Failure::argument(name, format!("is NULL, and {count} were announced")));
    }
    // No row is longer, so this is a number with a sign that was meant otherwise.
    if count.checked_mul(size_of::<T>()).is_none_or(|size| size > isize::MAX as usize) {
        return Err(Failure::argument(name, format!("cannot be {count}")));
    }
    Ok(slice::from_raw_parts(first, count))
}

/// Bytes in a row.
///
/// # Safety
/// As [`row`].
pub(super) unsafe fn bytes<'a>(
    first: *const c_void,
    length: usize,
    name: &'static str,
) -> Result<&'a [u8], Failure> {
    row(first.cast(), length, name)
}
