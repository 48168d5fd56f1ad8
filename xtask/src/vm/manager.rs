//! Debian's service manager, which takes over the virtual machine for the last tiers.

use super::debian;
use crate::{Outcome, command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 2] = ["systemd", "dbus-daemon"];

/// What is left of the packages: their libraries, units and these programs.
const LIBRARIES: [&str; 2] = ["lib", "usr/lib"];
const PROGRAMS: [(&str, &str); 4] = [
    ("usr/bin/busctl", "usr/bin/busctl"),
    ("usr/bin/systemd-run", "usr/bin/systemd-run"),
    ("bin/systemctl", "usr/bin/systemctl"),
    ("usr/bin/dbus-daemon", "usr/bin/dbus-daemon"),
];

/// The units of the machine's own, and the configuration of its bus.
const FILES: [(&str, &str); 7] = [
    ("etc/systemd/system/tests.service", include_str!("managed/tests.service")),
    ("etc/systemd/system/user@.service", include_str!("managed/user@.service")),
    ("etc/systemd/system/dbus.service", include_str!("managed/dbus.service")),
    ("etc/systemd/system/dbus.socket", include_str!("managed/dbus.socket")),
    ("etc/systemd/user/dbus.service", include_str!("managed/dbus.service")),
    ("etc/systemd/user/dbus.socket", include_str!("managed/user-dbus.socket")),
    ("etc/dbus-1/system.conf", include_str!("managed/system.conf")),
];

/// Gives the folder in which it is unpacked, below `folder`, unless it is there.
///
/// # Errors
/// Where this is not Debian, or a package cannot be had.
pub(super) fn unpacked(folder: &Path) -> Outcome<PathBuf> {
    let root = folder.join("systemd");
    if PROGRAMS.iter().all(|(program, _)| root.join(program).is_file()) {
        return Ok(root);
    }
    debian::unpack(&root, &PACKAGES, debian::closure)?;
    match PROGRAMS.iter().find(|(program, _)| !root.join(program).is_file()) {
        Some((program, _)) => Err(format!("{} bring no {program}", PACKAGES.join(" and "))),
        None => Ok(root),
    }
}

/// Copies it into the root of the machine.
pub(super) fn copy(from: &Path, root: &Path) -> Outcome {
    let failure = |path: &Path, error| format!("{}: {error}", path.display());
    for folder in LIBRARIES {
        // By what is in it: the folder itself is a link into `/usr` there.
        let (from, to) = (from.join(folder).join("."), root.join(folder).join("."));
        command::run(Command::new("cp").arg("-RP").arg(from).arg(to))?;
    }
    for (program, to) in PROGRAMS {
        let (from, to) = (from.join(program), root.join(to));
        fs::copy(&from, &to).map_err(|error| failure(&from, error))?;
    }
    for (file, text) in FILES {
        let file = root.join(file);
        let above = file.parent().unwrap_or(root);
        fs::create_dir_all(above)
            .and_then(|()| fs::write(&file, text))
            .map_err(|e| failure(&file, e))?;
    }
    Ok(())
}
