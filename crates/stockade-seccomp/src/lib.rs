//! Seccomp filters as bytes.
#![forbid(unsafe_code)]
