//! Images and bundles, with real files.

mod archives;
mod crashes;
mod going;
mod hostile;
mod layers;
mod layouts;
mod made;
#[cfg(feature = "pull")]
mod pull;
mod stores;
mod tools;
