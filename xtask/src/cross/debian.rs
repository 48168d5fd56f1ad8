//! Debian's compiler with the library of a second processor, from its packages.

use crate::{Outcome, command};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler's packages, for the processor of this machine.
const COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev"];

/// The library for the other processor.
const LIBRARY: &str = "libstd-rust-web-dev:arm64";

/// Gives the path of a `rustc` that knows both processors, unpacked in `folder` unless it is there.
///
/// `sysroot` is that of the toolchain in use; its linker serves programs without a C library.
///
/// # Errors
/// The reason in one line, where this is not Debian or the packages cannot be had.
pub(super) fn compiler(folder: &Path, sysroot: &Path) -> Outcome<PathBuf> {
    let rustc = folder.join("rustc");
    if command::succeeds(Command::new(&rustc).arg("--version")) {
        return Ok(rustc);
    }
    if cfg!(not(target_arch = "x86_64")) {
        return Err(format!("no packages are known for a host of {}", std::env::consts::ARCH));
    }
    for tool in ["apt-get", "dpkg"] {
        command::find(tool, &[]).ok_or(format!("no library for the target and no {tool}"))?;
    }
    // What an interrupted run left would be half a compiler.
    let _ = fs::remove_dir_all(folder);
    println!("cross: unpacking Debian's rustc-web and its arm64 library below target/cross");
    let packages = download(&folder.join("apt"))?;
    let root = folder.join("root");
    for package in packages {
        quiet(Command::new("dpkg").arg("-x").arg(package).arg(&root))?;
    }
    link(&root, sysroot).map_err(|error| format!("the linker's place: {error}"))?;
    // Made last: its presence says that all the rest is complete.
    wrap(&rustc, &root).map_err(|error| format!("{}: {error}", rustc.display()))?;
    let works = command::succeeds(Command::new(&rustc).arg("--version"));
    if works { Ok(rustc) } else { Err("Debian's compiler does not run here".to_owned()) }
}

/// Downloads the packages with a private apt, so that the system's lists, architectures and
/// locks stay as they are; needs no privilege.
fn download(apt: &Path) -> Outcome<Vec<PathBuf>> {
    let archives = apt.join("archives");
    let failure = |error| format!("{}: {error}", apt.display());
    for part in ["lists/partial", "archives/partial", "state"] {
        fs::create_dir_all(apt.join(part)).map_err(failure)?;
    }
    let settings = apt.join("apt.conf");
    fs::write(&settings, configuration(apt)).map_err(failure)?;
    let get = |arguments: &[&str]| {
        let mut get = Command::new("apt-get");
        get.args(arguments).env("APT_CONFIG", &settings).current_dir(&archives);
        quiet(&mut get)
    };
    // One source of several may fail without harm; a package that is then missing is the answer.
    let _ = get(&["update"]);
    let install = ["install", "--yes", "--download-only", "--reinstall", "--no-install-recommends"];
    get(&[&install[..], &COMPILER].concat())?;
    get(&["download", LIBRARY])?;
    let entries = fs::read_dir(&archives).map_err(failure)?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(files.filter(|file| file.extension().is_some_and(|end| end == "deb")).collect())
}

/// apt.conf(5): its own folders, a second architecture, and the system's sources and package
/// status, so that only what the machine lacks is fetched.
pub(super) fn configuration(apt: &Path) -> String {
    let apt = apt.display();
    format!(
        r#"APT::Architectures {{ "amd64"; "arm64"; }};
APT::Sandbox::User "root";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
Dir::Cache "{apt}";
Dir::State "{apt}/state";
Dir::State::lists "{apt}/lists";
Dir::State::status "/var/lib/dpkg/status";
"#
    )
}

/// Puts the toolchain's `rust-lld`, which Debian packages apart, where rustc looks for it.
fn link(root: &Path, sysroot: &Path) -> std::io::Result<()> {
    let tools = Path::new("lib/rustlib/x86_64-unknown-linux-gnu/bin");
    let folder = root.join("usr").join(tools);
    fs::create_dir_all(&folder)?;
    let linker = sysroot.join(tools).join("rust-lld");
    if linker.is_file() { symlink(linker, folder.join("rust-lld")) } else { Ok(()) }
}

/// Writes the script that runs the unpacked compiler with its own libraries.
fn wrap(rustc: &Path, root: &Path) -> std::io::Result<()> {
    let script = format!(
        "#!/bin/sh\nroot='{}/usr'\nLD_LIBRARY_PATH=\"$root/lib/x86_64-linux-gnu\" \
         exec \"$root/bin/rustc\" --sysroot \"$root\" \"$@\"\n",
        root.display()
    );
    fs::write(rustc, script)?;
    fs::set_permissions(rustc, Permissions::from_mode(0o755))
}

/// Runs a command and shows its output only if it fails, as the last line of the reason.
fn quiet(command: &mut Command) -> Outcome {
    let line = command::line(command);
    let output = command.output().map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{line}` failed: {}", text.lines().last().unwrap_or("no reason given")))
}
