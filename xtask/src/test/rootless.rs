//! The integration tests once more, as a user without privileges.

use super::build::Built;
use super::tally::Tally;
use super::{EXPECT, watch};
use crate::{Outcome, host};
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user that no system gives a name, a file or a process to.
pub(crate) const USER: u32 = 60_000;

/// Copies the test binaries to where the user can reach them, and runs them there.
pub(super) fn run(built: &Built) -> Outcome<Tally> {
    let stage = Stage::new().map_err(|error| format!("a folder for the rootless tier: {error}"))?;
    // A declaration by the caller holds here too, but for cgroups: root's are not this user's.
    let expect = match env::var(EXPECT) {
        Ok(words) => without_cgroups(&words),
        Err(_) => host::features(Some(USER)),
    };
    let program = |name: &str, file: &Option<PathBuf>| {
        file.as_deref().map(|file| stage.copy(name, file)).transpose()
    };
    let cli = program("stockade", &built.cli)?;
    let oci = program("stockade-oci", &built.oci)?;

    println!("\nrootless: as uid {USER}");
    let mut tally = Tally::default();
    for (name, file) in &built.rootless {
        let mut command = Command::new(stage.copy(name, file)?);
        command
            .arg("--show-output")
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("RUST_BACKTRACE", "1")
            .env(EXPECT, &expect)
            .current_dir(stage.home())
            .uid(USER)
            .gid(USER);
        for name in ["HOME", "TMPDIR", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TARGET_TMPDIR"] {
            command.env(name, stage.home());
        }
        for (name, program) in [("STOCKADE_TEST_BIN", &cli), ("STOCKADE_OCI_BIN", &oci)] {
            if let Some(program) = program {
                command.env(name, program);
            }
        }
        tally.add(watch(&mut command, &expect)?);
    }
    Ok(tally)
}

/// The words of a declaration that hold for a user who owns no cgroup.
pub(super) fn without_cgroups(words: &str) -> String {
    let kept = words.split(',').filter(|word| !word.trim().starts_with("cgroup"));
    kept.collect::<Vec<_>>().join(",")
}

/// A folder that the user can read, with a home that the user can write. Removed when dropped.
pub(crate) struct Stage(PathBuf);

impl Stage {
    pub(crate) fn new() -> std::io::Result<Self> {
        let places = [env::temp_dir(), PathBuf::from("/var/tmp")];
        let place = places.iter().find(|place| is_open(place)).unwrap_or(&places[1]);
        let folder = place.join(format!("stockade-rootless-{}", std::process::id()));
        // Fails if anybody put something there before.
        fs::create_dir(&folder)?;
        let stage = Self(folder);
        fs::set_permissions(&stage.0, Permissions::from_mode(0o755))?;
        fs::create_dir(stage.home())?;
        fs::set_permissions(stage.home(), Permissions::from_mode(0o700))?;
        if host::is_root() {
            chown(stage.home(), Some(USER), Some(USER))?;
        }
        Ok(stage)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    /// Copies an executable to the stage.
    pub(crate) fn copy(&self, name: &str, file: &Path) -> Outcome<PathBuf> {
        let copy = self.0.join(name);
        let failure = |error| format!("copying {}: {error}", file.display());
        fs::copy(file, &copy).map_err(failure)?;
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).map_err(failure)?;
        Ok(copy)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: {} is left behind: {error}", self.0.display());
        }
    }
}

/// Whether any user can pass through every folder of a path.
pub(crate) fn is_open(path: &Path) -> bool {
    let passable = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|entry| entry.permissions().mode() & 0o001 != 0)
    };
    path.is_absolute() && path.ancestors().all(passable)
}
