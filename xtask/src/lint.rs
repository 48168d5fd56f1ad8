//! `cargo xtask lint`: formatting, clippy, documentation, tidy and licences.

use crate::workspace::{self, Metadata};
use crate::{Outcome, command, test, tidy};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What static programs are linked with, and those programs: crates that cargo does not know,
/// because build scripts compile them.
pub(crate) const BARE: &str = "crates/stockade-bare/image/lib.rs";
pub(crate) const IMAGES: [&str; 3] = [
    "crates/stockade-warden/src/image/main.rs",
    "crates/stockade-attacks/image/main.rs",
    "crates/stockade-bench/image/main.rs",
];

/// Runs every check; the first that fails ends the run.
pub(crate) fn run() -> Outcome {
    let metadata = Metadata::load()?;
    command::run(&mut command::cargo(&["fmt", "--all", "--check"]))?;
    command::run(&mut command::cargo(&["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))?;
    tidy::run()?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    command::run(&mut command::cargo(&clippy))?;
    // What only `cargo xtask` itself is built with.
    let header = ["clippy", "--package", "xtask", "--features", "header", "--all-targets"];
    command::run(command::cargo(&header).args(["--locked", "--", "-D", "warnings"]))?;
    clippy_images(&metadata.target_directory)?;
    python(&metadata.target_directory)?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked"];
    command::run(command::cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"))?;
    deny(&metadata.target_directory)
}

/// The style of the Python package, where ruff can be had.
fn python(target: &Path) -> Outcome {
    let ruff = match test::python::tool(target, test::python::RUFF) {
        Ok(ruff) => ruff,
        Err(error) => {
            println!("SKIP: ruff: {error}");
            return Ok(());
        }
    };
    let ruff = |arguments: &[&str]| {
        let mut command = Command::new(&ruff);
        command.args(arguments).current_dir(workspace::root().join(test::python::PACKAGE));
        command.args(["--no-cache", "."]);
        command
    };
    command::run(&mut ruff(&["format", "--check", "--quiet"]))?;
    command::run(&mut ruff(&["check", "--quiet"]))
}

/// Clippy over the static programs, with the unsafe rules that the workspace lints set elsewhere.
fn clippy_images(target: &Path) -> Outcome {
    let beside = sysroot()?.join("bin");
    let driver = command::find("clippy-driver", &[beside])
        .ok_or("clippy-driver not found; run: rustup component add clippy")?;
    let folder = target.join("lint");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let check = |kind: &str, name: &str, root: &str| {
        let mut clippy = Command::new(&driver);
        clippy
            .args(["--edition", "2024", "--crate-name", name, "--crate-type", kind])
            .args(["-C", "panic=abort", "--emit=metadata", "--out-dir"])
            .arg(&folder)
            .args([root, "-D", "warnings", "-D", "clippy::undocumented_unsafe_blocks"])
            .current_dir(workspace::root());
        clippy
    };
    command::run(&mut check("rlib", "bare", BARE))?;
    let bare = format!("bare={}", folder.join("libbare.rmeta").display());
    for image in IMAGES {
        command::run(check("bin", "image", image).args(["--extern", &bare]))?;
    }
    Ok(())
}

/// The folder of the toolchain in use.
pub(crate) fn sysroot() -> Outcome<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(workspace::root());
    command::read(&mut rustc).map(|text| PathBuf::from(text.trim_end()))
}

/// Licences, bans and sources, where cargo-deny is installed; advisories where they can be had.
fn deny(target: &Path) -> Outcome {
    let Some(deny) = command::find("cargo-deny", &[target.join("tools/bin")]) else {
        println!("SKIP: deny: cargo-deny is not installed; run: cargo install --locked cargo-deny");
        return Ok(());
    };
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&deny);
        command.args(["--log-level", "error"]).args(arguments).current_dir(workspace::root());
        command
    };
    command::run(&mut deny(&["check", "licenses", "bans", "sources"]))?;
    if command::succeeds(&mut deny(&["fetch", "db"])) {
        command::run(&mut deny(&["check", "advisories"]))
    } else {
        println!("SKIP: advisories: the advisory database cannot be fetched");
        Ok(())
    }
}
