//! Images and bundles, with real files.

mod layers;
