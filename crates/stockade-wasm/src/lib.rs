//! The WebAssembly backend: core modules with WASI preview 1, behind wasmtime.
//!
//! 1. [`WasmSandbox::new`] makes two engines, one that counts instructions and one that does not
//!    (`engine`), and a clock that bumps their epochs when a run is due (`clock`).
//! 2. `prepare` reads, checks and compiles the module (`module`) and links it with the functions
//!    of `wasi`.
//! 3. `start` makes the run's streams (`streams`) and its tether (`tether`): what stops it, from any
//!    thread and wherever it is, in a loop, a sleep or a read.
//! 4. `wait` runs the guest and reports (`run`).
//!
//! wasmtime's types appear in no signature of this crate.

mod clock;
mod engine;
mod execution;
mod limiter;
mod module;
mod prepared;
mod run;
mod sandbox;
mod streams;
mod support;
mod tether;
mod wasi;

pub use sandbox::WasmSandbox;
