//! The namespace backend: native programs behind Linux namespaces, cgroups, seccomp, Landlock and
//! resource limits.
//!
//! How a run comes about, and where to look:
//!
//! 1. [`NamespaceSandbox::new`] finds out what the host offers (`host`, `cgroup`) and launches a
//!    warden (`warden`).
//! 2. `prepare` resolves the policy to a plan, lays out the root (`rootfs`), finds the program in
//!    it (`program`), compiles the filter (`stockade-seccomp`), and hands all of it to the warden
//!    (`prepare`, `landlock`, `limits`).
//! 3. `start` makes pipes and one socket and sends them to the warden (`execution`, `streams`).
//! 4. `wait` moves bytes until the sandbox's init reports; its board becomes verdict, usage and
//!    receipt (`outcome`, `receipt`).
//!
//! The host process is never forked, and no thread is started.

mod account;
mod cgroup;
mod execution;
mod host;
mod landlock;
mod left_out;
mod limits;
mod measured;
mod outcome;
mod prepare;
mod prepared;
mod program;
mod receipt;
mod registration;
mod rootfs;
mod sandbox;
mod sight;
mod streams;
mod warden;
mod wardens;

#[doc(hidden)]
pub use left_out::LeftOut;
#[doc(hidden)]
pub use measured::Parts;
pub use sandbox::NamespaceSandbox;
pub use warden::Census;
