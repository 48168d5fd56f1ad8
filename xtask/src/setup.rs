//! `cargo xtask setup`: what the other commands need from the machine.

use crate::{Outcome, command, host};
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// One thing the machine must offer.
struct Need {
    what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    found: fn() -> bool,
}

const NEEDS: [Need; 2] = [
    Need {
        what: "a C compiler `cc` that links static programs",
        packages: &["gcc", "libc6-dev"],
        found: links_static,
    },
    Need { what: "/usr/bin/python3", packages: &["python3"], found: has_python },
];

/// Checks every need; installs what is missing where it may.
pub(crate) fn run() -> Outcome {
    let mut missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.found)()).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> =
            missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
        for need in &missing {
            println!("setup: missing: {}", need.what);
        }
        install(&packages)?;
        missing.retain(|need| !(need.found)());
    }
    if let Some(need) = missing.first() {
        return Err(format!("still missing after the installation: {}", need.what));
    }
    let bubblewrap = match command::find("bwrap", &[]) {
        Some(_) => "found",
        None => "not found; the benchmarks leave it out",
    };
    println!("setup: cargo, cc -static and python3 found; bubblewrap (optional) {bubblewrap}");
    Ok(())
}

fn install(packages: &[&str]) -> Outcome {
    let list = packages.join(" ");
    let advice = format!("apt-get install --yes --no-install-recommends {list}");
    if command::find("apt-get", &[]).is_none() {
        return Err(format!(
            "install a C compiler with static libc and python3 with the package manager of this \
             system; on Debian or Ubuntu:\n  sudo {advice}"
        ));
    }
    if !host::is_root() {
        return Err(format!("packages are missing; run:\n  sudo {advice}"));
    }
    println!("setup: installing with apt-get: {list}");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command::run(&mut apt)
    };
    // One source of several may fail without harm; a package that is then missing is the answer.
    let _ = apt(&["update", "--quiet"]);
    let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    arguments.extend_from_slice(packages);
    apt(&arguments)
}

/// Whether `cc` turns a C program into a static executable.
fn links_static() -> bool {
    let folder = env::temp_dir().join(format!("stockade-setup-{}", std::process::id()));
    if fs::create_dir(&folder).is_err() {
        return false;
    }
    let source = folder.join("main.c");
    let works =
        fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n")
            .is_ok()
            && command::succeeds(
                Command::new("cc").arg("-static").arg("-o").arg(folder.join("main")).arg(&source),
            );
    // The verdict stands even when the folder cannot be removed.
    let _ = fs::remove_dir_all(&folder);
    works
}

fn has_python() -> bool {
    Path::new(host::PYTHON).is_file()
}
