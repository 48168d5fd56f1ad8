//! `cargo xtask instructions [--bless]`: how many instructions each path through the library takes,
//! against the committed table.
//!
//! A path is done [`FEW`] times in one process and [`MANY`] times in another; the difference leaves
//! out all that happens once. valgrind's callgrind counts both.

mod table;
#[cfg(test)]
mod tests;

use crate::test::build::Artifact;
use crate::workspace::{self, Metadata};
use crate::{Outcome, command, setup, valgrind};
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use table::{Table, Toolchain};

/// Where the counts are committed.
const TABLE: &str = "benches/instructions.json";

const FEW: u64 = 20;
const MANY: u64 = 520;

/// The crates that are optimized for this, as in a release, in the build that the tests have made.
/// What they are built on stays as it is there, since wasmtime takes minutes.
const OPTIMIZED: [&str; 6] = [
    "stockade-benches",
    "stockade-core",
    "stockade-namespace",
    "stockade-seccomp",
    "stockade-warden",
    "stockade-wasm",
];
const PROFILE: [&str; 4] =
    ["opt-level=3", "codegen-units=1", "debug-assertions=false", "overflow-checks=false"];

/// Has the C library choose the same functions on every machine.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM";

/// Counts, and compares with the table; or writes it.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let bless = match arguments {
        [] => false,
        ["--bless"] => true,
        _ => return Err("instructions takes nothing but --bless".to_owned()),
    };
    setup::for_counting();
    let Some(valgrind) = valgrind::words() else {
        println!("SKIP: instructions: valgrind is not installed; run: cargo xtask setup");
        return Ok(());
    };
    let file = workspace::root().join(TABLE);
    let toolchain = toolchain()?;
    let committed = if bless { None } else { Some(Table::read(&file)?) };
    if let Some(reason) = committed.as_ref().and_then(|table| table.toolchain.differs(&toolchain)) {
        println!("SKIP: instructions: {reason}; counts of two toolchains are not comparable");
        return Ok(());
    }
    let counter = Counter { valgrind, program: build()? };
    let mut counts = BTreeMap::new();
    for name in counter.paths()? {
        counts.insert(name.clone(), counter.count(&name)?);
    }
    let Some(committed) = committed else {
        Table { toolchain, counts }.write(&file)?;
        println!("instructions: written to {TABLE}");
        return Ok(());
    };
    committed.compare(&counts)
}

/// What counts depend on besides the code.
fn toolchain() -> Outcome<Toolchain> {
    let say = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).current_dir(workspace::root());
        command::read(&mut command).map(|text| text.trim().to_owned())
    };
    let (rustc, libc) = (say("rustc", "--version")?, say("getconf", "GNU_LIBC_VERSION")?);
    Ok(Toolchain { arch: ARCH.to_owned(), rustc, libc })
}

/// Builds the program that does the paths, and gives where it is.
fn build() -> Outcome<PathBuf> {
    // Without `--lib`, cargo builds some of what proc macros use otherwise than for the tests, and
    // wasmtime anew.
    let what = ["build", "--workspace", "--lib", "--bench", "paths", "--locked"];
    let mut cargo = command::cargo(&what);
    println!("$ {} (our crates optimized)", command::line(&cargo));
    cargo.arg("--message-format=json-render-diagnostics");
    for (package, setting) in
        OPTIMIZED.iter().flat_map(|package| PROFILE.map(|setting| (package, setting)))
    {
        cargo.args(["--config", &format!("profile.dev.package.{package}.{setting}")]);
    }
    let messages = command::read(&mut cargo)?;
    let mut artifacts = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    artifacts
        .find_map(|artifact: Artifact| artifact.into_executable("bench", "paths"))
        .ok_or_else(|| "cargo built no benchmark called `paths`".to_owned())
}

/// The program, and what counts its instructions.
struct Counter {
    valgrind: Vec<OsString>,
    program: PathBuf,
}

impl Counter {
    fn paths(&self) -> Outcome<Vec<String>> {
        let text = command::read(Command::new(&self.program).arg("--names"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The instructions of one repetition.
    fn count(&self, name: &str) -> Outcome<u64> {
        let (few, many) = (self.total(name, FEW)?, self.total(name, MANY)?);
        Ok(many.saturating_sub(few) / (MANY - FEW))
    }

    fn total(&self, name: &str, times: u64) -> Outcome<u64> {
        let folder = Metadata::load()?.target_directory.join("instructions");
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let output = folder.join(format!("{name}.{times}.callgrind"));
        let mut command = self.command(&output);
        command.args(["--count", name, &times.to_string()]);
        let told = command.output().map_err(|error| format!("valgrind: {error}"))?;
        let text = fs::read_to_string(&output).unwrap_or_default();
        match summary(&text) {
            Some(total) if told.status.success() => Ok(total),
            _ => Err(format!(
                "{name}, {times} times, under valgrind: {}\n{}",
                told.status,
                String::from_utf8_lossy(&told.stderr)
            )),
        }
    }

    fn command(&self, output: &Path) -> Command {
        let mut command = Command::new(&self.valgrind[0]);
        command.args(&self.valgrind[1..]);
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", output.display()));
        command.arg(&self.program).env_clear().env("GLIBC_TUNABLES", TUNABLES);
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

/// The total in what callgrind writes.
fn summary(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    line.trim().parse().ok()
}
