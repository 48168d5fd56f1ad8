//! `cargo xtask fuzz [--seconds N] [TARGET…]`: runs the fuzz targets of `fuzz/`.
//!
//! What a target needs to know is in `fuzz/seeds/`; what it learns stays below `target/fuzz/`, and
//! so does the input with which one fails.

use super::{has, nightly};
use crate::workspace::{self, Metadata};
use crate::{Outcome, command};
use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release that continuous integration installs.
const CARGO_FUZZ: &str = "0.13.2";

/// Seconds for each target, unless asked otherwise.
const SECONDS: u64 = 10;

/// Targets that are built in a minute.
pub(super) const LIGHT: [&str; 7] =
    ["config", "kernel_files", "layer", "policy", "program", "seccomp", "wire"];
/// Targets that build wasmtime: they run when they are named.
pub(super) const HEAVY: [&str; 2] = ["module", "wasi"];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) seconds: u64,
    pub(super) targets: Vec<&'static str>,
}

/// Reads the arguments; without a name, all light targets are meant, with `all` every one.
pub(super) fn request(arguments: &[&str]) -> Outcome<Request> {
    let mut request = Request { seconds: SECONDS, targets: Vec::new() };
    let known = || LIGHT.into_iter().chain(HEAVY);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "--seconds" => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                request.seconds = number
                    .filter(|seconds| *seconds > 0)
                    .ok_or("--seconds takes a number above zero")?;
            }
            "all" => request.targets.extend(known()),
            name => {
                let target = known().find(|target| *target == name).ok_or_else(|| {
                    let all: Vec<_> = known().collect();
                    format!("no such target: {name}; there are: {}", all.join(", "))
                })?;
                request.targets.push(target);
            }
        }
    }
    if request.targets.is_empty() {
        request.targets.extend(LIGHT);
    }
    Ok(request)
}

/// Builds and runs the targets, or says why it cannot.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let request = request(arguments)?;
    let metadata = Metadata::load()?;
    let target = metadata.target_directory;
    let tool = command::find("cargo-fuzz", &[target.join("tools/bin")]);
    let (Some(tool), true) = (tool, has("cargo")) else {
        println!(
            "SKIP: fuzz: it needs rustup, a nightly toolchain and cargo-fuzz; run: rustup toolchain \
             install nightly; cargo install --locked cargo-fuzz --version {CARGO_FUZZ}"
        );
        println!("0 targets run, {} skipped", request.targets.len());
        return Ok(());
    };
    let bench = Bench { folder: target.join("fuzz"), seconds: request.seconds };
    bench.build(&tool, &request.targets)?;
    let mut failed = Vec::new();
    for target in &request.targets {
        if let Err(reason) = bench.run(target) {
            println!("{reason}");
            failed.push(*target);
        }
    }
    println!("{} targets run, {} failed", request.targets.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// Where targets are built and run.
struct Bench {
    folder: PathBuf,
    seconds: u64,
}

impl Bench {
    /// Builds without a sanitizer: what is tested has no unsafe code of its own.
    fn build(&self, tool: &Path, targets: &[&str]) -> Outcome {
        let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
        command::run(nightly("cargo".as_ref(), &["fetch", "--locked"]).args(manifest))?;
        let heavy = targets.iter().any(|target| HEAVY.contains(target));
        let one = if let [only] = targets { Some(*only) } else { None };
        let mut build = nightly(tool, &["build", "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
        build.args(["--target", &triple(), "--target-dir"]).arg(&self.folder);
        build.args(heavy.then_some(["--features", "modules"]).into_iter().flatten()).args(one);
        command::run(&mut build)
    }

    fn run(&self, target: &str) -> Outcome {
        let failure = |path: &Path, error| format!("{}: {error}", path.display());
        let make = |kind: &str| {
            let path = self.folder.join(kind).join(target);
            fs::create_dir_all(&path).map_err(|error| failure(&path, error)).map(|()| path)
        };
        let (corpus, artifacts) = (make("corpus")?, make("artifacts")?);
        let log = self.folder.join(format!("{target}.log"));
        let file = File::create(&log).map_err(|error| failure(&log, error))?;
        // A fuzzer ends without a chance to remove what it made.
        let files = self.folder.join(format!("{target}.files"));
        fs::create_dir_all(&files).map_err(|error| failure(&files, error))?;
        let mut fuzzer = Command::new(self.folder.join(triple()).join("release").join(target));
        fuzzer
            .env("TMPDIR", &files)
            .arg(corpus)
            .arg(workspace::root().join("fuzz/seeds").join(target))
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-timeout=30", "-rss_limit_mb=2048"])
            .current_dir(&self.folder)
            .stderr(file);
        let status = fuzzer.status().map_err(|error| format!("{target}: {error}"))?;
        fs::remove_dir_all(&files).map_err(|error| failure(&files, error))?;
        let text = fs::read_to_string(&log).map_err(|error| failure(&log, error))?;
        if !status.success() {
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            return Err(format!(
                "{target} failed; all of it is in {}:\n{}",
                log.display(),
                tail.join("\n")
            ));
        }
        println!("{target}: {}", summary(&text).ok_or(format!("{target} told no statistics"))?);
        Ok(())
    }
}

fn triple() -> String {
    format!("{ARCH}-unknown-linux-gnu")
}

/// What libFuzzer says at the end, in one line.
pub(super) fn summary(log: &str) -> Option<String> {
    let number = |key: &str| {
        let line = log.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim_start_matches(':').trim().parse::<u64>().ok()
    };
    let done = log.lines().rfind(|line| line.contains("DONE"))?;
    let covered = done.split_once("cov: ")?.1.split(' ').next()?;
    let (runs, rate) =
        (number("stat::number_of_executed_units")?, number("stat::average_exec_per_sec")?);
    let peak = number("stat::peak_rss_mb")?;
    Some(format!("{runs} runs, {rate} a second, {covered} edges covered, at most {peak} MiB"))
}
