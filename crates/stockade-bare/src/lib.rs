//! Static programs without a C library: how a build script compiles one.
//!
//! Such a program needs nothing but `core`, so it is built by calling `rustc`, for whatever target
//! the crate is built for, offline, from a packaged crate, and without a C compiler. It is linked
//! with `image/`, which is compiled here too: the entry point, the system call instruction, and the
//! memory routines that compiled code calls. It is linked by the linker that ships with `rustc`, or
//! by the target's C compiler where a distribution leaves that out.
//!
//! The program names the crate `bare`, has a panic handler, and begins in
//! `#[unsafe(no_mangle)] extern "C" fn bare_main(stack: *const usize) -> !`, where `stack` is what
//! the kernel left there: the number of arguments, then pointers to them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the sources of the crate `bare`. A build script watches it, and the environment
/// variable `RUSTC`.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image");

/// Compiles the program with the crate root `main` to a static executable of that name in
/// `OUT_DIR`, position dependent and stripped, and gives its path. To be called by a build script.
///
/// # Errors
/// What `rustc` said, if it does not compile.
pub fn build(name: &str, main: &Path) -> Result<PathBuf, String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let library = out.join("libbare.rlib");
    let root = Path::new(SOURCES).join("lib.rs");
    rustc("bare", "rlib", &root, &library, &[])?;
    let bare = format!("--extern=bare={}", library.display());

    let lld = ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Clink-arg=--build-id=none"];
    let mut lld = lld.map(str::to_owned).to_vec();
    let cc = ["-nostartfiles", "-nostdlib", "-Wl,--build-id=none"];
    let mut cc: Vec<String> = cc.iter().map(|arg| format!("-Clink-arg={arg}")).collect();
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        cc.push(format!("-Clinker={}", linker.to_string_lossy()));
    }
    lld.push(bare.clone());
    cc.push(bare);

    let program = out.join(name);
    let Err(first) = rustc(name, "bin", main, &program, &lld) else { return Ok(program) };
    match rustc(name, "bin", main, &program, &cc) {
        Ok(()) => Ok(program),
        Err(second) => Err(format!(
            "{name} does not build\nwith rust-lld:\n{first}\nwith the C compiler:\n{second}"
        )),
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn rustc(name: &str, kind: &str, root: &Path, out: &Path, more: &[String]) -> Result<(), String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    // Flags meant for the crate (coverage, sanitizers, a sysroot) must not reach the image, but
    // a sysroot is needed to find `core`.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = flags.split('\x1f');
    while let Some(flag) = flags.next() {
        if flag == "--sysroot" {
            rustc.arg(flag).args(flags.next());
        } else if flag.starts_with("--sysroot=") {
            rustc.arg(flag);
        }
    }
    let output = rustc
        .args(["--crate-name", name, "--crate-type", kind, "--edition", "2024"])
        .args(["--target", &variable("TARGET")?])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Ccodegen-units=1", "-Cstrip=symbols"])
        .args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"])
        .args(more)
        .arg("-o")
        .args([out, root])
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
