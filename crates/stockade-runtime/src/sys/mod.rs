//! System calls that have no safe function elsewhere, each behind one.
#![allow(
    unsafe_code,
    reason = "the island of this crate: what is here is called from nowhere else"
)]

pub(crate) mod bpf;
pub(crate) mod clone;
pub(crate) mod keys;
pub(crate) mod mounts;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod seccomp;
pub(crate) mod signal;
