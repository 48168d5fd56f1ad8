//! The host's side of the warden: launching it, talking to it, noticing that it is gone.

mod ids;
mod launch;
mod link;
mod roots;
mod shelf;

pub(crate) use ids::IdRange;
pub(crate) use launch::LaunchError;
pub use link::Census;
pub(crate) use link::{Link, LinkError, Newborn, Waiters, wait_nudging};
pub(crate) use shelf::{Shelf, WaitingRun};
