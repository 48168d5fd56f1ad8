//! The host's side of the warden: launching it, talking to it, noticing that it is gone.

mod error;
mod ids;
mod launch;
mod link;
mod message;
mod roots;
mod shelf;

pub(crate) use error::LinkError;
pub(crate) use ids::IdRange;
pub(crate) use launch::LaunchError;
pub use link::Census;
pub(crate) use link::{Link, Newborn, Waiters};
pub(crate) use message::{wait_nudging, wait_once};
pub(crate) use shelf::{Shelf, WaitingRun};
