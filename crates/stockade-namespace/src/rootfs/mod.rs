//! The file tree of a sandbox, computed from a policy: what the warden builds once, what it
//! mounts in every run, and a view of the result that needs no mount at all.
//!
//! Nothing here changes the host. Targets are checked without following a symbolic link, and
//! what policies name on the host is pinned by device and inode number.

mod base;
mod describe;
mod error;
mod etc;
mod layout;
mod recipe;
mod source;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod view;

pub(crate) use describe::describe;
pub(crate) use error::kind_of;
pub(crate) use layout::Layout;
pub(crate) use view::{Object, View};
