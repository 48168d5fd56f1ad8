//! `unsafe` lives on islands that `ls` shows.

use super::source::Source;
use super::{Finding, code};

const ISLANDS: [&str; 13] = [
    "bindings/c/src/exported/",
    "bindings/c/src/forks.rs",
    "bindings/c/src/signals.rs",
    "bindings/python/src/descriptors.rs",
    "bindings/python/src/memory.rs",
    "crates/stockade-attacks/image/",
    "crates/stockade-bare/image/",
    "crates/stockade-bench/image/",
    "crates/stockade-namespace/src/sys/",
    "crates/stockade-runtime/src/sys/",
    "crates/stockade-warden/src/image/",
    "crates/stockade-wasm/src/cache/artifact.rs",
    "crates/stockade-wasm/src/handlers.rs",
];

/// The keyword stands nowhere else: not in a block, a function, an impl or an attribute.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    if ISLANDS.iter().any(|island| source.path.starts_with(island)) {
        return Vec::new();
    }
    let text = "`unsafe` outside its islands";
    code::words(&source.code, "unsafe").map(|at| Finding::error(source.place(at), text)).collect()
}
