//! The host's side of the warden: launching it, talking to it, noticing that it is gone.

mod ids;
mod launch;
mod link;
mod roots;

pub(crate) use ids::IdRange;
pub(crate) use launch::LaunchError;
pub use link::Census;
pub(crate) use link::{Link, LinkError, Newborn, wait_nudging};
