//! Measuring: distributions of times, and the machine they were taken on. The benchmarks
//! themselves are the binaries of this package.

mod machine;
mod times;

pub use machine::Machine;
pub use times::Times;
