//! The language spoken between host and warden: flat, versioned, bounds-checked.
//!
//! The same files are compiled into the host library and into the warden image, so the two can
//! never disagree. Decoding allocates nothing, trusts no length and has no `unsafe`.

pub mod board;
pub mod plan;
pub mod reader;
pub mod request;
pub mod root;
