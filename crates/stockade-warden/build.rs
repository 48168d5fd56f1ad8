//! Compiles the warden image: one call of `rustc`, no dependency, no C compiler.
//!
//! The image needs nothing but `core`, so it is built for whatever target the crate is built for,
//! offline and from a packaged crate. It is linked by the linker that ships with `rustc`, or by
//! the target's C compiler where a distribution leaves that out.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn main() {
    println!("cargo:rerun-if-changed=src/image");
    println!("cargo:rerun-if-changed=src/wire");
    println!("cargo:rerun-if-env-changed=RUSTC");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("warden");
    let lld = ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld", "-Clink-arg=--build-id=none"];
    let lld = lld.map(str::to_owned).to_vec();
    let cc = ["-nostartfiles", "-nostdlib", "-Wl,--build-id=none"];
    let mut cc: Vec<String> = cc.iter().map(|arg| format!("-Clink-arg={arg}")).collect();
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        cc.push(format!("-Clinker={}", linker.to_string_lossy()));
    }

    let first = compile(&out, &lld);
    if first.status.success() {
        return;
    }
    let second = compile(&out, &cc);
    if second.status.success() {
        return;
    }
    panic!(
        "the warden image does not build\nwith rust-lld:\n{}\nwith the C compiler:\n{}",
        String::from_utf8_lossy(&first.stderr),
        String::from_utf8_lossy(&second.stderr)
    );
}

fn compile(out: &Path, linker: &[String]) -> Output {
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
    rustc
        .args(["--crate-name", "warden", "--crate-type", "bin", "--edition", "2024"])
        .arg("--target")
        .arg(env::var("TARGET").expect("cargo sets TARGET"))
        .args(["-Copt-level=2", "-Cpanic=abort", "-Ccodegen-units=1", "-Cstrip=symbols"])
        .args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"])
        .args(linker)
        .arg("-o")
        .arg(out)
        .arg("src/image/main.rs")
        .output()
        .unwrap_or_else(|error| panic!("cannot run rustc: {error}"))
}
