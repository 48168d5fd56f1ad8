//! One suite of behaviours, written once against [`Sandbox`] and mounted once per backend.
//!
//! A backend's integration tests say how they come by a [`Subject`], and every behaviour becomes a
//! test of its own:
//!
//! ```text
//! stockade_conformance::conformance!(Native::new(NamespaceSandbox::new()?));
//! ```
//!
//! What differs for modules is in the list of [`BEHAVIOURS`], with a reason, and nowhere else; the
//! manual shows it as a [`table`], and what is then expected follows from [`Facts`]. What a host may
//! lack is read from [`Sandbox::support`]: an approximated limit is asked for as best effort, and
//! its verdict must be right all the same.

mod behaviour;
mod behaviours;
mod job;
mod scratch;
mod subject;
mod table;
mod warmed;
mod wasm;

pub use behaviour::{Behaviour, Difference};
pub use behaviours::{BEHAVIOURS, check};
pub use job::Job;
pub use scratch::Scratch;
pub use subject::{Facts, Native, Subject};
pub use table::{in_manual, table};
pub use warmed::Warmed;
pub use wasm::Wasm;

#[doc(hidden)]
pub use stockade::Sandbox;
