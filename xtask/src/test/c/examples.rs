//! The examples, each built and checked by its own Makefile, where nothing of this project is but what
//! was installed; and the pages that show them.

use super::{FOLDER, Place, count};
use crate::test::tally::{Tally, skip_line};
use crate::test::{EXPECT, python};
use crate::{Outcome, command, host, runtimes, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What looks at the pages, from the sources.
const PAGES: &str = "pages.py";

pub(super) fn run(tally: &mut Tally, place: &Place, expect: &str) -> Outcome {
    let from = workspace::root().join(FOLDER).join("examples");
    let entries = fs::read_dir(&from).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("Makefile").is_file());
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let copy = place.stage.folder().join("examples").join(&name);
        python::copy(&folder, &copy)?;
        let mut make = command::outside("make");
        make.args(["--silent", "check"]).current_dir(&copy).env_remove("MAKEFLAGS");
        one(tally, place, &format!("example {name}"), &mut make, expect);
    }
    if from.join(PAGES).is_file() {
        let mut pages = command::outside(host::PYTHON);
        pages.args([Path::new("-B"), &from.join(PAGES)]);
        one(tally, place, "the pages", &mut pages, expect);
    }
    Ok(())
}

/// Runs one command and counts it.
fn one(tally: &mut Tally, place: &Place, name: &str, command: &mut Command, expect: &str) {
    command
        .env("PKG_CONFIG_PATH", place.pkg_config_path())
        .env("LD_LIBRARY_PATH", place.lib())
        .env("XDG_CACHE_HOME", runtimes::cache())
        .env(EXPECT, expect);
    let outcome = command::quietly(command);
    let skip = outcome.as_ref().ok().and_then(|text| text.lines().find_map(skip_line));
    if let Some((what, reason)) = skip {
        println!("c: {name} ... skipped");
        tally.skip(&format!("{name}: {what}"), reason);
    } else {
        count(tally, name, outcome.map(drop));
    }
}
