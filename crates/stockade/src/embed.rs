//! What bindings to other languages are made of, so that it stands once.
//!
//! A language that binds Stockade has its own idea of files, callbacks, errors and `fork`, and none of
//! an [`Execution`](crate::Execution) that is consumed by waiting for it. The parts here stand in between:
//!
//! * [`Streams`]: where a program's streams go when it is a descriptor, a new pipe or a channel.
//! * [`Background`]: a run that goes on by itself, can be asked whether it is over, and rings.
//! * [`Owned`]: a value that a forked child must not use.
//! * [`Account`]: an error as data.
//!
//! Who writes Rust needs none of it: see [`Sandbox`](crate::Sandbox) and [`batch`](crate::batch).
//!
//! # Threads
//! A [`Background`] has a thread that waits for its run, named `stockade-run`, and one for each output
//! that goes to a descriptor, a pipe or a channel, named `stockade-stream`. They inherit what the thread
//! that calls [`Background::watch`] has blocked of signals.

mod account;
mod background;
mod drain;
mod owned;
mod streams;

pub use crate::backend::{MODULE, NATIVE};
pub use account::Account;
pub use background::{Background, Ended};
pub use owned::{Forked, Owned};
pub use streams::{Chunk, Misdirected, Sink, Source, Streams};

#[cfg(test)]
mod tests;
