//! What C sees: the functions, constants and structures of `stockade.h`.
#![allow(unsafe_code, reason = "pointers of C are turned into values here, and nowhere else")]

pub mod names;
