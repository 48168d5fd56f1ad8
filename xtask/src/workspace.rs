//! The workspace as cargo describes it.

use crate::{Outcome, command};
use serde::Deserialize;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The folder that holds the workspace manifest.
///
/// `cargo run` says where the package is now; what was compiled in may be another checkout that
/// shares the target directory.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let compiled_in = || env!("CARGO_MANIFEST_DIR").into();
        let mut folder =
            PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(compiled_in));
        folder.pop();
        folder
    });
    &ROOT
}

/// `cargo metadata`, as far as it is read here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// One member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line under `[dependencies]` or its kin.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for an ordinary dependency.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Asks cargo about the members; their dependencies are not resolved.
    pub(crate) fn load() -> Outcome<Self> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let text = command::read(&mut command::cargo(&arguments))?;
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// Whether a member of this name exists.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }
}
