//! Debian's kernel for virtual machines, from its package.

use crate::{Outcome, command, host};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that names the current one.
const LATEST: &str = "linux-image-cloud-amd64";

/// Gives the path of the kernel, unpacked below `folder` unless it is there; nothing is installed.
///
/// # Errors
/// Where this is not Debian, or the package cannot be had.
pub(super) fn image(folder: &Path) -> Outcome<PathBuf> {
    let root = folder.join("kernel");
    if let Some(image) = find(&root) {
        return Ok(image);
    }
    for tool in ["apt-get", "apt-cache", "dpkg"] {
        command::find(tool, &[])
            .ok_or(format!("the kernel is a package of Debian, and there is no {tool} here"))?;
    }
    let archives = folder.join("archives");
    // What an interrupted run left would be half a package.
    for rest in [&root, &archives] {
        let _ = fs::remove_dir_all(rest);
    }
    let failure = |error| format!("{}: {error}", archives.display());
    fs::create_dir_all(&archives).map_err(failure)?;
    download(&archives)?;
    for entry in fs::read_dir(&archives).map_err(failure)? {
        let package = entry.map_err(failure)?.path();
        command::run(Command::new("dpkg").arg("-x").arg(package).arg(&root))?;
    }
    find(&root).ok_or(format!("the package of {LATEST} holds no kernel"))
}

/// Downloads the package that [`LATEST`] depends on.
fn download(archives: &Path) -> Outcome {
    let package = || {
        let text = command::read(Command::new("apt-cache").args(["depends", LATEST]))?;
        name(&text).map(str::to_owned).ok_or(format!("{LATEST} depends on no kernel"))
    };
    let get = |arguments: &[&str]| {
        let mut get = Command::new("apt-get");
        // An unprivileged helper could not write into our folder, and would warn of it.
        get.args(["--quiet", "-o", "APT::Sandbox::User=root"]).args(arguments);
        command::run(get.current_dir(archives))
    };
    if package().and_then(|name| get(&["download", &name])).is_ok() {
        return Ok(());
    }
    // The lists may be missing, or name a version that has been replaced since.
    if host::is_root() {
        let _ = get(&["update"]);
    }
    get(&["download", &package()?])
}

/// The package that another one depends on, from the output of `apt-cache depends`.
pub(super) fn name(depends: &str) -> Option<&str> {
    let mut lines = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    lines.find(|name| name.starts_with("linux-image-"))
}

fn find(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root.join("boot")).ok()?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.find(|file| {
        file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"vmlinuz-"))
    })
}
