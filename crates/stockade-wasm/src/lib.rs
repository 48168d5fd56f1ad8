//! The WebAssembly backend: modules (WASI preview 1) and components (WASI 0.2), behind wasmtime.
//!
//! 1. [`WasmSandbox::new`] makes two engines, one that counts instructions and one that does not
//!    (`engine`, and `handlers` of their signals), and a clock that bumps their epochs when a run is due (`clock`).
//! 2. `prepare` reads a binary (`module`), checks it (`check`), compiles it or finds it compiled
//!    (`compile`, `kept`, `cache`), links it with WASI (`wasi`, `component`) and the embedder's
//!    functions (`imports`), and opens what the policy binds (`files`).
//! 3. `start` makes the run's streams (`streams`) and its tether (`tether`): what stops it, from any
//!    thread and wherever it is, in a loop, a sleep or a read.
//! 4. `wait` runs the guest and reports (`session`).
//!
//! Instead of running a command, a [`Library`] has its functions called, in an [`Instance`].
//!
//! wasmtime's types appear in no signature of this crate.

mod builder;
mod cache;
mod check;
mod clock;
mod command;
mod compile;
mod component;
mod engine;
mod execution;
mod expansion;
mod files;
mod handlers;
mod host_call;
mod imports;
mod instance;
mod kept;
mod library;
mod limiter;
mod module;
mod prepared;
mod run;
mod sandbox;
mod scalars;
mod session;
mod setting;
mod streams;
mod support;
mod tether;
mod untyped;
mod wasi;

pub use builder::WasmSandboxBuilder;
pub use host_call::{CancelToken, HostCall, OutOfBounds};
pub use imports::{HostError, Imports};
pub use instance::{Instance, Outcome};
pub use library::{BytesFunction, Function, Library};
pub use sandbox::WasmSandbox;
pub use scalars::Scalars;
pub use untyped::{Signature, UntypedFunction, Value, ValueType};
