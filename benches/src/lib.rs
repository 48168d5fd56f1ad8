//! Measuring: distributions of times, contenders that alternate, the machine they ran on, and what
//! Stockade is compared with. The benchmarks themselves are the binaries of this package.

mod asked;
pub mod bare;
#[cfg(feature = "floor")]
pub mod floor;
mod machine;
mod path;
mod race;
mod scratch;
mod times;
pub mod tool;
mod workload;

pub use asked::{Asked, Missing, Part};
pub use machine::Machine;
pub use path::{PATHS, Path, Work};
pub use race::{Failure, Race, repeat, thread_cpu, time};
pub use scratch::Scratch;
pub use times::Times;
pub use workload::{WORKLOADS, Workload};

/// A module that prints a line.
pub const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00")
    (data (i32.const 8) "hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))"#;
