//! One suite of behaviours, written once against [`Sandbox`] and mounted once per backend.
//!
//! A backend's integration tests say how they come by a [`Subject`], and every behaviour becomes a
//! test of its own:
//!
//! ```text
//! stockade_conformance::conformance!(Native::new(NamespaceSandbox::new()?));
//! ```
//!
//! What may differ between backends is in [`Facts`], and nowhere else. What a host may lack is
//! read from [`Sandbox::support`]: an approximated limit is asked for as best effort, and its
//! verdict must be right all the same.

mod behaviours;
mod job;
mod scratch;
mod subject;

pub use behaviours::check;
pub use job::Job;
pub use scratch::Scratch;
pub use subject::{Facts, Native, Subject};

#[doc(hidden)]
pub use stockade::Sandbox;
