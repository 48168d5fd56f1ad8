//! Compiles what is run: one static native program, and the modules.

use std::fs;
use std::path::Path;

const MODULES: [&str; 4] = ["hello", "sieve", "mix", "counter"];

fn main() {
    println!("cargo::rerun-if-changed={}", stockade_bare::SOURCES);
    println!("cargo::rerun-if-env-changed=RUSTC");
    println!("cargo::rerun-if-changed=image");
    println!("cargo::rerun-if-changed=modules");
    if let Err(message) = build() {
        panic!("{message}");
    }
}

fn build() -> Result<(), String> {
    let out = std::env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    for name in MODULES {
        let file = Path::new("modules").join(format!("{name}.wat"));
        let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let module = wat::parse_bytes(&text).map_err(|error| format!("{name}: {error}"))?;
        let path = Path::new(&out).join(format!("{name}.wasm"));
        fs::write(&path, module).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    stockade_bare::build("work", Path::new("image/main.rs")).map(drop)
}
