//! [`LinkError`].

use std::io;

use stockade_warden::wire::request;

use super::LaunchError;

/// Why the warden did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It could not be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It is gone.
    #[error("the helper process that holds the sandboxes is gone")]
    Lost,
    /// It could not move into a cgroup.
    #[error("the helper process could not move into its group")]
    Join(#[source] io::Error),
    /// It could not settle into namespaces.
    #[error("the helper process failed while {}", request::Settle::describe(*step))]
    Settle {
        /// A [`request::Settle`] number.
        step: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not build a root.
    #[error("building the root failed at {what}")]
    Root {
        /// The record that failed, in words.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It refused a plan.
    #[error("the helper process refused the plan")]
    Plan {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Everything there is a bound for is in use.
    #[error("{count} {what} are in use, which is all there can be")]
    Exhausted {
        /// What.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A message to it could not be sent or was not answered.
    #[error("cannot exchange a message with the helper process")]
    Message(#[source] io::Error),
}
