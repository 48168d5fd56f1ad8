//! Isolation modes side by side, on this machine.
#![forbid(unsafe_code)]

mod page;
mod results;

pub use page::page;
pub use results::{
    Footprint, Host, Mode, Overhead, PhaseTime, Point, Results, Series, Target, percentile,
};
