//! What does Stockade do? Runs a Python program nobody vouches for on a real file, then one
//! misbehaving program per limit and per closed door, and says what became of each.
//!
//! Ends with status 1 if any of them did not end as it should.
#![allow(clippy::print_stdout, reason = "a demonstration shows what happens by printing it")]

mod case;
mod doors;
mod limits;
mod python;
mod screen;
mod text;

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::Instant;

use stockade::{NamespaceSandbox, WasmSandbox};

use case::{Outcome, Tally};
use screen::Screen;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let begun = Instant::now();
    let screen = Screen::new();
    let sandbox = NamespaceSandbox::new()?;
    let wasm = WasmSandbox::new()?;
    let home = Home::new()?;

    screen.title(&format!("Stockade {}, two walls, {}", env!("CARGO_PKG_VERSION"), kernel()));
    let mut tally = Tally::default();
    tally.add(python::run(&screen, &sandbox, &home.0)?);
    limits::run(&screen, &sandbox, &wasm, &mut tally)?;
    doors::run(&screen, &sandbox, &home.0, &mut tally)?;

    let seconds = begun.elapsed().as_secs_f64();
    screen.blank();
    let Tally { passed, failed, skipped } = tally;
    if failed > 0 {
        screen.verdict(Outcome::Failed, &format!("{failed} of {} went wrong", passed + failed));
        return Ok(ExitCode::FAILURE);
    }
    let left_out = match skipped {
        0 => String::new(),
        _ => format!("; {skipped} cannot be bounded on this host"),
    };
    let line = format!("All {passed} programs ended as they should, in {seconds:.1} s{left_out}.");
    screen.verdict(Outcome::Passed, &line);
    Ok(ExitCode::SUCCESS)
}

/// Name and release of the kernel, and the architecture.
fn kernel() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    let release = read("osrelease").unwrap_or_default();
    format!("Linux {} on {}", release.trim(), env::consts::ARCH)
}

/// A directory for the demonstration's own files; removed when dropped.
struct Home(PathBuf);

impl Home {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("stockade-demo-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed is a few kilobytes in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
