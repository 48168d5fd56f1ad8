//! What the Open Container Initiative specifies, as Stockade's nouns: an image becomes a root directory,
//! a policy's defaults and a program; a bundle becomes a policy and a program.
//!
//! Nothing here runs anything: see [`Sandbox`](stockade_core::Sandbox).
#![forbid(unsafe_code)]

pub mod layer;
