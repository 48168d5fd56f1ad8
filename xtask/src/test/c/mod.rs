//! The C library: installed as users install it, and used by programs in C.

mod examples;
mod header;
mod installed;
mod program;
mod programs;
#[cfg(test)]
mod tests;

use super::python;
use super::rootless::Stage;
use super::tally::Tally;
use crate::workspace::{self, Metadata};
use crate::{Outcome, command, setup};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "bindings/c";
/// The least that is needed to test anything.
const TOOLS: [&str; 3] = ["gcc", "make", "pkg-config"];

/// Installs the library and runs the tests.
pub(super) fn run(metadata: &Metadata, expect: &str) -> Outcome<Vec<(&'static str, Tally)>> {
    setup::for_c();
    let mut tally = Tally::default();
    if let Some(tool) = TOOLS.iter().find(|tool| command::find(tool, &[]).is_none()) {
        tally.skip("the C library", &format!("{tool} is not installed; run: cargo xtask setup"));
        return Ok(vec![("c", tally)]);
    }
    let stage = Stage::new().map_err(|error| format!("a folder for the C tests: {error}"))?;
    let place = Place::new(&stage, &metadata.target_directory)?;
    println!("\nthe C library, installed below {}", place.prefix.display());
    header::check(&mut tally, &place);
    installed::check(&mut tally, &place);
    examples::run(&mut tally, &place, expect)?;
    let mut tiers = programs::run(&place, expect)?;
    tally.add(tiers.remove(0).1);
    tiers.insert(0, ("c", tally));
    println!();
    Ok(tiers)
}

/// Where the library is, and what programs are compiled with.
struct Place<'a> {
    stage: &'a Stage,
    target: &'a Path,
    prefix: PathBuf,
    /// A copy of the tests that every user can read.
    tests: PathBuf,
}

impl<'a> Place<'a> {
    fn new(stage: &'a Stage, target: &'a Path) -> Outcome<Self> {
        let (prefix, tests) = (stage.folder().join("prefix"), stage.folder().join("tests"));
        let place = Self { stage, target, prefix, tests };
        command::run(place.make(&["install"]).arg(format!("PREFIX={}", place.prefix.display())))?;
        python::copy(&workspace::root().join(FOLDER).join("tests"), &place.tests)?;
        Ok(place)
    }

    /// make in the folder of the binding, from the artifacts of everything else.
    fn make(&self, arguments: &[&str]) -> Command {
        let mut make = command::outside("make");
        make.args(["--silent", "-C", FOLDER, "PROFILE=dev"]).args(arguments);
        make.env("CARGO_TARGET_DIR", self.target).env_remove("MAKEFLAGS");
        make
    }

    fn lib(&self) -> PathBuf {
        self.prefix.join("lib")
    }

    fn header(&self) -> PathBuf {
        self.prefix.join("include/stockade.h")
    }

    fn pkg_config_path(&self) -> PathBuf {
        self.lib().join("pkgconfig")
    }

    /// What pkg-config says of the library.
    fn pkg_config(&self, arguments: &[&str]) -> Outcome<Vec<String>> {
        let mut ask = Command::new("pkg-config");
        ask.args(arguments).arg("stockade").env("PKG_CONFIG_PATH", self.pkg_config_path());
        let text = command::quietly(&mut ask)?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }
}

/// Counts one test and says what came of it.
fn count(tally: &mut Tally, name: &str, outcome: Outcome) {
    match outcome {
        Ok(()) => {
            println!("c: {name} ... ok");
            tally.passed += 1;
        }
        Err(text) => {
            println!("c: {name} ... FAILED: {text}");
            tally.failed += 1;
        }
    }
}

/// The outcome of a comparison.
fn equal<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Outcome {
    if found == wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
}
