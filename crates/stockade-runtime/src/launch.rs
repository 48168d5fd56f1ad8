//! What the runtime does to have a process in a container: it clones, maps ids, fills the control group and
//! runs the hooks that belong outside, while the child waits at the other end of a channel.

pub(crate) mod channel;
mod clocks;
pub(crate) mod create;
pub(crate) mod join;
pub(crate) mod maps;
pub(crate) mod namespaces;
pub(crate) mod process;
