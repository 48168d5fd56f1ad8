//! What C sees: the functions, constants and structures of `stockade.h`.
//!
//! Every function here is unsafe for the same reason: C gives it pointers, by the rules at the top of the
//! header, and they are turned into values by [`pointers`] and by the types of the parameters.
//! `Option<&T>` and `Option<Box<T>>` are a pointer that may be NULL.
#![allow(unsafe_code, reason = "pointers of C are turned into values here")]
#![allow(unsafe_op_in_unsafe_fn, reason = "one reason holds for all: the rules of the header")]
#![allow(clippy::missing_safety_doc, reason = "the rules of the header")]

pub mod handles;

pub mod errors;

pub mod policies;

pub mod sandboxes;

pub mod stdio;

pub mod programs;

pub mod images;

pub mod executions;

pub mod reports;

pub mod values;

pub mod modules;

pub mod words;

pub(crate) mod callbacks;
pub(crate) mod constants;
pub(crate) mod pointers;
