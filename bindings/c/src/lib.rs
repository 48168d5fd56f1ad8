//! Stockade for C.
//!
//! What C sees stands in [`exported`], from which `include/stockade.h` is generated. The rest converts
//! and owns, and decides nothing.

pub mod exported;

mod execution;
mod failure;
mod forks;
mod image;
mod module;
mod panics;
mod policy;
mod report;
mod sandbox;
mod signals;
mod words;
