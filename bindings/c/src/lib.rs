//! Stockade for C.
//!
//! What C sees stands in [`exported`], from which `include/stockade.h` is generated. It converts and
//! owns, and decides nothing.

mod exported;
