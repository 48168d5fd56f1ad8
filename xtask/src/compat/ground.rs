//! What is fetched to be run: a CPython with its test suite, and two libraries. Nothing is installed.

use crate::{Outcome, command, host};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian 12's CPython, all of one version. Unpacked, it finds its library beside itself.
const PYTHON: [&str; 4] = [
    "libpython3.11-testsuite",
    "libpython3.11-stdlib",
    "libpython3.11-minimal",
    "python3.11-minimal",
];

/// The libraries, pinned by hash, for CPython 3.11 on x86-64.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Where things are. What could not be had is the reason instead.
pub(super) struct Ground {
    /// The folder that holds all of it.
    pub(super) folder: PathBuf,
    pub(super) python: Outcome,
    pub(super) libraries: Outcome,
}

/// The interpreter in a folder that [`Ground::provide`] filled.
pub(super) fn python(folder: &Path) -> PathBuf {
    folder.join("python/usr/bin/python3.11")
}

/// The libraries in such a folder.
pub(super) fn libraries(folder: &Path) -> PathBuf {
    folder.join("libraries")
}

impl Ground {
    /// Fetches what is not there yet.
    pub(super) fn provide(folder: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let scripts = [
            ("suite.py", include_str!("suite.py")),
            ("arrays.py", include_str!("arrays.py")),
            ("judge.py", include_str!("judge.py")),
            ("requirements.txt", REQUIREMENTS),
        ];
        for (name, text) in scripts {
            let file = folder.join(name);
            fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        let python = once(&folder.join("python"), &PYTHON.join(" "), unpack);
        let libraries = once(&libraries(folder), REQUIREMENTS, install);
        if let Some(reason) = libraries.as_ref().err().filter(|reason| is_forged(reason)) {
            return Err(reason.clone());
        }
        Ok(Self { folder: folder.to_owned(), python, libraries })
    }
}

/// Fills a folder by `fill`, unless that was done with the same `recipe` before.
fn once(folder: &Path, recipe: &str, fill: fn(&Path) -> Outcome) -> Outcome {
    let stamp = folder.with_extension("recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        return Ok(());
    }
    // What an interrupted run left would be half of it.
    let _ = fs::remove_dir_all(folder);
    let failure = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failure)?;
    fill(folder)?;
    fs::write(&stamp, recipe).map_err(failure)
}

fn unpack(folder: &Path) -> Outcome {
    for tool in ["apt-get", "dpkg"] {
        command::find(tool, &[])
            .ok_or(format!("the suite is a package of Debian, and there is no {tool} here"))?;
    }
    let archives = folder.with_extension("archives");
    let failure = |error| format!("{}: {error}", archives.display());
    let _ = fs::remove_dir_all(&archives);
    fs::create_dir_all(&archives).map_err(failure)?;
    let get = |arguments: &[&str]| {
        let mut get = Command::new("apt-get");
        // An unprivileged helper could not write into our folder, and would warn of it.
        get.args(["--quiet", "-o", "APT::Sandbox::User=root"]).args(arguments);
        command::run(get.current_dir(&archives))
    };
    let words = [&["download"], &PYTHON[..]].concat();
    if get(&words).is_err() {
        // The lists may be missing, or name a version that has been replaced since.
        if host::is_root() {
            let _ = get(&["update"]);
        }
        get(&words)?;
    }
    for entry in fs::read_dir(&archives).map_err(failure)? {
        let package = entry.map_err(failure)?.path();
        command::run(Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
    }
    fs::remove_dir_all(&archives).map_err(failure)
}

fn install(folder: &Path) -> Outcome {
    if cfg!(not(target_arch = "x86_64")) {
        return Err("the pinned wheels are for x86-64".to_owned());
    }
    let mut pip = Command::new(host::PYTHON);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--no-compile", "--target"]);
    pip.arg(folder).arg("-r").arg(folder.with_file_name("requirements.txt"));
    // The wheels are those of this version, whichever runs pip.
    pip.args(["--python-version", "3.11", "--implementation", "cp"]).stdin(Stdio::null());
    let line = command::line(&pip);
    println!("$ {line}");
    let output = pip.output().map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
    Err(format!("pip: {said}"))
}

/// Whether what came is not what was pinned: nothing to be skipped.
pub(super) fn is_forged(reason: &str) -> bool {
    reason.contains("DO NOT MATCH THE HASHES")
}
