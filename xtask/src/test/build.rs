//! One build for all tiers, and where it put the executables.

use crate::workspace::Metadata;
use crate::{Outcome, command};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The crates whose integration tests also run as an unprivileged user.
const ROOTLESS: [&str; 6] = [
    "stockade-namespace",
    "stockade-wasm",
    "stockade",
    "stockade-conformance",
    "stockade-cli",
    "stockade-runtime",
];

/// Executables, each by a name for the reader.
#[derive(Default)]
pub(crate) struct Built {
    pub(super) examples: BTreeMap<String, PathBuf>,
    pub(super) endurance: BTreeMap<String, PathBuf>,
    pub(crate) rootless: BTreeMap<String, PathBuf>,
    /// The unit tests of the namespace backend.
    pub(crate) units: Option<PathBuf>,
    /// The `stockade` program.
    pub(crate) cli: Option<PathBuf>,
    /// The container runtime.
    pub(crate) oci: Option<PathBuf>,
}

/// One message of `cargo build --message-format=json`, as far as it is read here.
#[derive(Deserialize)]
pub(crate) struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Artifact {
    fn is(&self, kind: &str) -> bool {
        self.target.kind.iter().any(|word| word == kind)
    }

    /// The executable, if it is that of this target.
    pub(crate) fn into_executable(self, kind: &str, name: &str) -> Option<PathBuf> {
        let meant = self.is(kind) && self.target.name == name;
        self.executable.filter(|_| meant)
    }
}

/// Builds the test binaries, the programs and the examples of the workspace.
pub(crate) fn run(metadata: &Metadata) -> Outcome<Built> {
    let mut built = Built::default();
    // All in one, so that every crate is compiled once: what tests need of it may be more than what
    // programs do.
    let what = ["build", "--workspace", "--lib", "--bins", "--tests", "--examples", "--locked"];
    let mut cargo = command::cargo(&what);
    cargo.arg("--message-format=json-render-diagnostics");
    println!("$ {}", command::line(&cargo));
    for line in command::read(&mut cargo)?.lines() {
        // Other messages lack these fields.
        if let Ok(artifact) = serde_json::from_str::<Artifact>(line) {
            built.add(metadata, artifact);
        }
    }
    Ok(built)
}

impl Built {
    /// Files an artifact under what it is for, if it is for anything here.
    pub(super) fn add(&mut self, metadata: &Metadata, artifact: Artifact) {
        let mut packages = metadata.packages.iter();
        let owner = packages.find(|package| package.manifest_path == artifact.manifest_path);
        let (Some(owner), Some(file)) = (owner, artifact.executable) else { return };
        let (package, target) = (owner.name.as_str(), artifact.target.name);
        let is = |kind: &str| artifact.target.kind.iter().any(|word| word == kind);
        if artifact.profile.test {
            if is("test") && ROOTLESS.contains(&package) {
                self.rootless.insert(format!("{package}-{target}"), file);
            } else if is("lib") && package == "stockade-namespace" {
                self.units = Some(file);
            }
        } else if package == "stockade-examples" && (is("bin") || is("example")) {
            self.examples.insert(target, file);
        } else if package == "stockade-endurance" && is("bin") {
            self.endurance.insert(target, file);
        } else if package == "stockade-cli" && is("bin") {
            self.cli = Some(file);
        } else if package == "stockade-runtime" && is("bin") {
            self.oci = Some(file);
        }
    }
}
