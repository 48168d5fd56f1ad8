//! What containers cost under `stockade-oci`, beside runc, alternating: the runtimes themselves, and
//! `docker run` with either, by a daemon of the benchmark's own. Needs root.
//!
//! `cargo build --release -p stockade-runtime`, then
//! `cargo run --release -p stockade-benches --bin containers -- [--n N] [runtime] [docker]`
//!
//! `N` is 100 for `runtime`, and 30 for `docker`. The runtime is the one beside this program, or what
//! `STOCKADE_OCI_BIN` names.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod bundle;
mod daemon;
mod docker;
mod runtime;

use std::path::PathBuf;

use stockade_benches::{Asked, Failure, Machine, tool};

/// How the two are called in tables.
const OURS: &str = "stockade-oci";
const RUNC: &str = "runc";

fn main() -> Result<(), Failure> {
    let asked = Asked::of(std::env::args().skip(1))?;
    println!("{}; alternating", Machine::look());
    let outcome =
        asked.run(&[("runtime", 100, &runtime::measure), ("docker", 30, &docker::measure)]);
    println!("\n{}", Machine::look());
    outcome
}

/// Ours and runc, with their versions shown.
fn runtimes() -> Result<[PathBuf; 2], Failure> {
    tool::need_root()?;
    let both = [tool::of_ours(OURS, "STOCKADE_OCI_BIN")?, tool::find(RUNC)?];
    for program in &both {
        println!("{}: {}", program.display(), tool::version(program)?);
    }
    Ok(both)
}
