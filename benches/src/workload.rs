//! [`Workload`]: a C program that computes for a while, native and as a module.

/// A program that prints a sum of what it computed, the same one each time.
#[derive(Debug)]
pub struct Workload {
    /// Its name in `workloads/`.
    pub name: &'static str,
    /// The module of WASI preview 1, or why there is none.
    pub module: Result<&'static [u8], &'static str>,
    /// The native program's path, or why there is none. It prints on standard error how many
    /// nanoseconds of CPU time it used.
    pub program: Result<&'static str, &'static str>,
}

/// All of them.
pub const WORKLOADS: &[Workload] = include!(concat!(env!("OUT_DIR"), "/workloads.rs"));
