//! The runtimes of languages that tests run, in a cache of their own.

use crate::{command, workspace};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

const LANGUAGES: [&str; 2] = ["python", "javascript"];

/// What `XDG_CACHE_HOME` is for tests.
pub(crate) fn cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| workspace::root().join("target")).join("cache")
}

/// Builds those that are missing or were built from another recipe, with the `stockade` of this build.
/// Where the registries cannot be reached, tests of them are skipped, and say so.
pub(crate) fn install(stockade: &Path) {
    for language in LANGUAGES {
        let stamp = cache().join(format!("stockade/runtimes/{language}.recipe"));
        let recipe = fingerprint(language);
        if fs::read_to_string(&stamp).is_ok_and(|built| built == recipe) {
            println!("the runtime for {language} found");
            continue;
        }
        let mut build = Command::new(stockade);
        build.args(["runtime", "install", language]).env("XDG_CACHE_HOME", cache());
        let built = command::run(&mut build)
            .and_then(|()| fs::write(&stamp, &recipe).map_err(|error| error.to_string()));
        if let Err(error) = built {
            println!("no runtime for {language}, whose tests will be skipped: {error}");
        }
    }
}

/// Tells one recipe from another.
fn fingerprint(language: &str) -> String {
    let facade = workspace::root().join("crates/stockade");
    let mut files = vec![facade.join("src/runtime/build.rs")];
    let folder = facade.join("runtimes").join(language);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    files.extend(entries.map(|entry| entry.path()));
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        (file.file_name(), read(&file)).hash(&mut hash);
    }
    format!("{:016x}", hash.finish())
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_default()
}
