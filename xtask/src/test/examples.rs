//! The examples, each of which must end well.

use super::EXPECT;
use super::tally::{self, Tally};
use crate::{runtimes, workspace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs each example; its output is shown only if it fails.
pub(super) fn run(examples: &BTreeMap<String, PathBuf>, expect: &str) -> Tally {
    let mut tally = Tally::default();
    println!("\nrunning {} examples", examples.len());
    for (name, file) in examples {
        one(&mut tally, name, file, expect);
    }
    println!();
    tally
}

/// Runs one example and counts it.
pub(super) fn one(tally: &mut Tally, name: &str, file: &Path, expect: &str) {
    let mut command = Command::new(file);
    command.env(EXPECT, expect).env("XDG_CACHE_HOME", runtimes::cache());
    command.current_dir(workspace::root()).stdin(Stdio::null());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("example {name} ... FAILED: {error}");
            tally.failed += 1;
            return;
        }
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let skip = text.lines().find_map(tally::skip_line);
    if !output.status.success() {
        println!("example {name} ... FAILED: {}\n{text}", output.status);
        tally.failed += 1;
    } else if let Some((what, reason)) = skip {
        println!("example {name} ... skipped");
        tally.skip(&format!("example {name}: {what}"), reason);
    } else {
        println!("example {name} ... ok");
        tally.passed += 1;
    }
}
