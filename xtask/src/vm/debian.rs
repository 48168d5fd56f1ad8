//! Debian packages that are unpacked for the virtual machine; nothing is installed.

use crate::{Outcome, command, host};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Chooses packages, from the output of `apt-cache depends` for the names that were asked about.
type Choose = fn(&str, &[&str]) -> Vec<String>;

/// Unpacks packages into the folder `root`: those that `choose` takes of what `asked` depend on.
///
/// # Errors
/// Where this is not Debian, or a package cannot be had.
pub(super) fn unpack(root: &Path, asked: &[&str], choose: Choose) -> Outcome {
    for tool in ["apt-get", "apt-cache", "dpkg"] {
        command::find(tool, &[])
            .ok_or(format!("{} come from Debian, and there is no {tool} here", asked.join(", ")))?;
    }
    let archives = root.with_extension("archives");
    // What an interrupted run left would be half a package.
    for rest in [root, &archives] {
        let _ = fs::remove_dir_all(rest);
    }
    let failure = |error| format!("{}: {error}", archives.display());
    fs::create_dir_all(&archives).map_err(failure)?;
    download(&archives, asked, choose)?;
    for entry in fs::read_dir(&archives).map_err(failure)? {
        let package = entry.map_err(failure)?.path();
        command::run(Command::new("dpkg").arg("-x").arg(package).arg(root))?;
    }
    fs::remove_dir_all(&archives).map_err(failure)
}

fn download(archives: &Path, asked: &[&str], choose: Choose) -> Outcome {
    let packages = || {
        let mut depends = Command::new("apt-cache");
        depends.args(["depends", "--recurse", "--important"]).args(asked);
        let packages = choose(&command::read(&mut depends)?, asked);
        if packages.is_empty() {
            return Err(format!("{} cannot be had from Debian here", asked.join(", ")));
        }
        Ok(packages)
    };
    let get = |arguments: &[String]| {
        let mut get = Command::new("apt-get");
        // An unprivileged helper could not write into our folder, and would warn of it.
        get.args(["--quiet", "-o", "APT::Sandbox::User=root"]).args(arguments);
        command::run(get.current_dir(archives))
    };
    let fetch = |packages: Vec<String>| get(&[vec!["download".to_owned()], packages].concat());
    if packages().and_then(fetch).is_ok() {
        return Ok(());
    }
    // The lists may be missing, or name a version that has been replaced since.
    if host::is_root() {
        let _ = get(&["update".to_owned()]);
    }
    fetch(packages()?)
}

/// The first package by this prefix that one of those asked about depends on.
pub(super) fn named(depends: &str, prefix: &str) -> Vec<String> {
    let mut names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.find(|name| name.starts_with(prefix)).map(str::to_owned).into_iter().collect()
}

/// Those asked about with all they cannot do without, the first of alternatives.
pub(super) fn closure(depends: &str, asked: &[&str]) -> Vec<String> {
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut package, mut is_chosen) = ("", false);
    for line in depends.lines() {
        let Some((kind, name)) = line.split_once(": ") else {
            // Lines further in list who provides a virtual package.
            if !line.starts_with(' ') {
                (package, is_chosen) = (line, false);
                needs.entry(package).or_default();
            }
            continue;
        };
        if !is_chosen && !name.starts_with('<') {
            needs.entry(package).or_default().push(name);
        }
        is_chosen = kind.trim_start().starts_with('|');
    }
    let mut found = BTreeSet::new();
    let mut left = asked.to_vec();
    while let Some(name) = left.pop() {
        if let Some(needs) = needs.get(name).filter(|_| found.insert(name)) {
            left.extend(needs);
        }
    }
    found.into_iter().map(str::to_owned).collect()
}
