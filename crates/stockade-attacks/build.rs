//! Compiles the attacks: native ones to one static executable, the others to a module each.
//!
//! The lists in `image/guests.rs` and `modules/list.rs` name what is compiled. A file that no list
//! names would be an attack that nobody checks, so it is an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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
    all_listed("image/guests.rs", "image/guests", "rs")?;
    let out = std::env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    for (name, file) in all_listed("modules/list.rs", "modules", "wat")? {
        let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let module = wat::parse_bytes(&text).map_err(|error| format!("{name}: {error}"))?;
        let path = Path::new(&out).join(format!("{name}.wasm"));
        fs::write(&path, module).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    stockade_bare::build("attacks", Path::new("image/main.rs")).map(drop)
}

/// The files with this ending in a folder, by name. The words of the list's body must be the same.
fn all_listed(list: &str, folder: &str, ending: &str) -> Result<Vec<(String, PathBuf)>, String> {
    let failure = |error| format!("{folder}: {error}");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == ending) && name != "list" {
            found.push((name, path));
        }
    }
    let text = fs::read_to_string(list).map_err(|error| format!("{list}: {error}"))?;
    let body = text.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let (body, _) = body.ok_or(format!("{list}: no list in braces"))?;
    let listed: BTreeSet<&str> = body.split_whitespace().collect();
    if let Some((name, _)) = found.iter().find(|(name, _)| !listed.contains(name.as_str())) {
        return Err(format!("{folder}/{name}.{ending} is not in {list}, so nothing checks it"));
    }
    Ok(found)
}
