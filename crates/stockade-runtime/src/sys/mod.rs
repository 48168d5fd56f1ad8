//! The system calls that rustix does not wrap, each behind a safe function.
#![allow(unsafe_code, reason = "this is the island")]

pub(crate) mod seccomp;
