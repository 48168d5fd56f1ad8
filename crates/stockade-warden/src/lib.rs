//! The warden: a tiny static program, embedded here as bytes, and the language it is spoken to in.
//!
//! The warden clones sandboxes so that the host process never has to: it is small, has one
//! thread and no heap, so a clone costs the same whatever the host holds. Its source is
//! `src/image/`, a `no_std` program that `build.rs` compiles by calling `rustc` once; `wire` is
//! compiled into both sides.

pub mod wire;
mod writer;

pub use writer::{PlanWriter, Writer};

/// The warden's executable for the compile target: static, position dependent, stripped.
pub const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/warden"));

#[cfg(test)]
mod tests;
