//! What only a nightly compiler can do: `cargo xtask fuzz` and `cargo xtask miri`.

pub(crate) mod fuzz;
mod miri;
#[cfg(test)]
mod tests;

pub(crate) use miri::run as miri;

use crate::{command, workspace};
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether the nightly toolchain is here and has this program.
fn has(program: &str) -> bool {
    command::succeeds(&mut nightly(program.as_ref(), &["--version"]))
}

/// A program run as the nightly toolchain's, at the workspace root.
fn nightly(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).arg(program).args(arguments);
    // What the stable cargo that runs this program told it about itself.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}
