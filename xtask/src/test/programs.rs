//! Programs that are tests: each must end well.

use super::EXPECT;
use super::tally::{self, Tally};
use crate::{runtimes, workspace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What only many runs, many deaths or many at once can show, in the short form: under a minute in
/// all. CONTRIBUTING.md has the long forms.
const ENDURANCE: [(&str, &[&str]); 4] = [
    ("crowd", &["--native", "300", "--for", "5s"]),
    ("host_death", &["--times", "30", "--within", "3s"]),
    ("pids", &["--runs", "500"]),
    ("soak", &["--runs", "3000", "--samples", "20"]),
];

/// Runs each example; its output is shown only if it fails.
pub(super) fn run(examples: &BTreeMap<String, PathBuf>, expect: &str) -> Tally {
    let mut tally = Tally::default();
    println!("\nrunning {} examples", examples.len());
    for (name, file) in examples {
        one(&mut tally, &format!("example {name}"), file, &[], expect);
    }
    println!();
    tally
}

/// Runs the programs of `endurance/`.
pub(super) fn endure(programs: &BTreeMap<String, PathBuf>, expect: &str) -> Tally {
    let mut tally = Tally::default();
    println!("\nrunning {} programs of endurance/", ENDURANCE.len());
    for (name, arguments) in ENDURANCE {
        let file = programs.get(name).map_or(Path::new(name), PathBuf::as_path);
        one(&mut tally, name, file, arguments, expect);
    }
    println!();
    tally
}

/// Runs one program and counts it.
pub(super) fn one(tally: &mut Tally, name: &str, file: &Path, arguments: &[&str], expect: &str) {
    let mut command = Command::new(file);
    command.args(arguments).env(EXPECT, expect).env("XDG_CACHE_HOME", runtimes::cache());
    command.current_dir(workspace::root()).stdin(Stdio::null());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("{name} ... FAILED: {error}");
            tally.failed += 1;
            return;
        }
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let skip = text.lines().find_map(tally::skip_line);
    if !output.status.success() {
        println!("{name} ... FAILED: {}\n{text}", output.status);
        tally.failed += 1;
    } else if let Some((what, reason)) = skip {
        println!("{name} ... skipped");
        tally.skip(&format!("{name}: {what}"), reason);
    } else {
        println!("{name} ... ok");
        tally.passed += 1;
    }
}
