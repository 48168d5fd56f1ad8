//! Compiles the warden image.

fn main() {
    println!("cargo::rerun-if-changed={}", stockade_bare::SOURCES);
    println!("cargo::rerun-if-env-changed=RUSTC");
    println!("cargo::rerun-if-changed=src/image");
    println!("cargo::rerun-if-changed=src/wire");
    if let Err(message) = stockade_bare::build("warden", "src/image/main.rs".as_ref()) {
        panic!("{message}");
    }
}
