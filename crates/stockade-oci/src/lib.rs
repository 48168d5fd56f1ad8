//! What the Open Container Initiative specifies, as Stockade's nouns: an image becomes a root directory,
//! a policy's defaults and a program; a bundle becomes a policy and a program.
//!
//! Nothing here runs anything: see [`Sandbox`](stockade_core::Sandbox).
#![forbid(unsafe_code)]

mod archive;
mod blobs;
pub mod bundle;
mod compression;
mod digest;
mod document;
mod failure;
mod image;
pub mod layer;
mod layout;
mod media;
mod name;
mod platform;
#[cfg(feature = "pull")]
mod registry;
mod source;
mod store;

pub use blobs::Descriptor;
pub use compression::Compression;
pub use digest::{Algorithm, Digest, Size, Verifier};
pub use image::{Config, Image, Layer};
pub use name::Name;
#[cfg(feature = "pull")]
pub use registry::{Credentials, PullOptions};
pub use source::Source;
pub use store::{Entry, Freed, Progress, Root, Store};
