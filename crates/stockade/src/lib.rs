//! Run code you do not trust: one policy, one report.
//!
//! Stockade is `subprocess.run` for programs nobody vouches for. A [`Policy`] says what a program
//! may use and see; a backend runs it behind walls of the kernel, or in a WebAssembly engine; a
//! [`Report`] says why it ended, what it used, and which mechanism enforced each limit. There is no
//! daemon and no image to build, and it works as root and as an ordinary user.
//!
//! # The smallest complete program
//!
//! ```
//! use std::time::Duration;
//! use stockade::{Control, Policy, Program, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let program = Program::executable("sh").args(["-c", "echo hello; exec sleep 60"]);
//!
//! let mut policy = Policy::default(); // every default is closed
//! policy.limits.memory = "64MiB".parse()?;
//! policy.limits.wall_time = Duration::from_millis(300).into();
//! # policy.best_effort.extend([Control::Memory, Control::CpuTime, Control::Processes]);
//!
//! let sandbox = stockade::auto(&program)?;
//! let report = sandbox.run(&policy, &program)?;
//!
//! assert_eq!(report.stdout, b"hello\n");
//! match report.verdict {
//!     Verdict::Limit { control, .. } => assert_eq!(control, Control::WallTime),
//!     verdict => panic!("{verdict:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go on
//!
//! * [`Sandbox`], [`Prepared`] and [`Execution`] are the three steps of a run; [`Sandbox::run`]
//!   takes all three.
//! * [`batch`] runs many jobs at once, as many as the host has room for.
//! * [`Policy`] has every key, and [`manual::policy`] every default and unit.
//! * [`Report`] has every field; [`manual::verdicts`] says which [`Verdict`] a run gets.
//! * The [`manual`] has one page per subject, and the folder `examples/` of the repository one
//!   runnable file per question.
//!
//! # What it promises
//!
//! * No control that is asked for is silently weaker: it is enforced; or the call fails before
//!   anything runs; or, if the policy lists it under `best_effort`, the report says what is
//!   missing and why. See [`manual::receipt`].
//! * Nothing of a run outlives its [`Execution`], and nothing at all outlives the host process.
//! * The host process is never forked, so that starting a run costs the same whatever the host
//!   holds in memory and however many threads it has.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `namespace` | yes | `NamespaceSandbox`: native programs behind Linux namespaces |
//! | `attacks` | no | [`attacks`]: attempts to break out, to be tried on this host |
//! | `bench` | no | [`bench`](mod@bench): isolation modes side by side on this machine; brings in both backends |
//! | `doctor` | no | [`doctor`](mod@doctor): what this host can enforce; brings in both backends and the attacks |
//! | `embed` | no | [`embed`]: what bindings to other languages are made of |
//! | `oci` | no | `oci`: images and bundles of the Open Container Initiative as policies and programs |
//! | `pull` | no | `oci::Store::pull`: images from registries; brings in `oci` and an HTTP client |
//! | `wasm` | yes | `WasmSandbox`: WebAssembly modules and components ([`manual::wasm`]), brings in wasmtime; `wasm`: calls of their functions ([`manual::plugins`]); `runtime`: Python and JavaScript source ([`manual::runtimes`]) |
//!
//! A feature adds names and never changes what others do. Without any backend [`auto`] answers
//! with [`ErrorKind::Unsupported`].
#![forbid(unsafe_code)]

mod backend;
pub mod batch;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "doctor")]
pub mod doctor;
#[cfg(feature = "embed")]
pub mod embed;
pub mod manual;
#[cfg(feature = "wasm")]
pub mod runtime;

pub use backend::{auto, names_a_module};
#[cfg(feature = "attacks")]
#[doc(inline)]
pub use stockade_attacks as attacks;
#[doc(inline)]
pub use stockade_core::*;
#[cfg(feature = "namespace")]
#[doc(inline)]
pub use stockade_namespace::{Census, NamespaceSandbox};
#[cfg(feature = "oci")]
#[doc(inline)]
pub use stockade_oci as oci;
#[cfg(feature = "wasm")]
#[doc(inline)]
pub use stockade_wasm::WasmSandbox;

/// Calling functions of modules, and letting modules call the embedder's: see
/// [`WasmSandbox::library`].
#[cfg(feature = "wasm")]
pub mod wasm {
    #[doc(inline)]
    pub use stockade_wasm::{
        BytesFunction, CancelToken, Function, HostCall, HostError, Imports, Instance, Library,
        OutOfBounds, Outcome, Scalars, Signature, UntypedFunction, Value, ValueType,
        WasmSandboxBuilder,
    };
}
