//! The Python package: its wheel is built, and tested in environments that know nothing of Rust.

use super::rootless::{self, Stage, USER};
use super::tally::{Tally, skip_line};
use super::{EXPECT, runtimes};
use crate::workspace::{self, Metadata};
use crate::{Outcome, command, host};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What builds wheels, and what knows their style, of one version each.
const MATURIN: (&str, &str) = ("maturin", "1.16.0");
pub(crate) const RUFF: (&str, &str) = ("ruff", "0.14.6");
pub(crate) const PACKAGE: &str = "bindings/python";
/// Where programs are looked for in the tests' environments.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What is tested with the other interpreters of this machine, oldest and newest: what needs no other
/// package than pytest.
const PORTABLE: [&str; 6] = [
    "test_run.py",
    "test_limits.py",
    "test_popen.py",
    "test_policy.py",
    "test_asyncio.py",
    "test_fork.py",
];

/// What is the same for every user, and need not be tested for another.
const SAME: [&str; 7] = [
    "test_celery.py",
    "test_dask.py",
    "test_docstrings.py",
    "test_examples.py",
    "test_notebook.py",
    "test_ray.py",
    "test_types.py",
];

/// Builds the wheel and runs the tests: as this user, with other interpreters, and without privileges.
pub(super) fn run(metadata: &Metadata, expect: &str) -> Outcome<Vec<(&'static str, Tally)>> {
    let wheel = wheel(&metadata.target_directory)?;
    let stage = Stage::new().map_err(|error| format!("a folder for the Python tests: {error}"))?;
    let tests = stage.folder().join("package");
    stage_tests(&tests)?;
    let suite = Suite { stage: &stage, wheel: &wheel, tests: &tests };

    let python =
        suite.environment(Path::new(host::PYTHON), "venv", &["-r", "requirements-test.txt"])?;
    let mut tiers = vec![("python", suite.pytest(&python, &[], expect, None)?)];
    let mut others = Tally::default();
    let found = interpreters();
    for (at, other) in found.iter().enumerate() {
        let python = suite.environment(other, &format!("other-{at}"), &["pytest"])?;
        others.add(suite.pytest(&python, &PORTABLE, expect, None)?);
    }
    if found.len() < 2 {
        others.skip(
            "other interpreters",
            "an older and a newer Python than the system's are not both here",
        );
    }
    tiers.push(("pythons", others));
    if host::is_root() {
        let expect = match env::var(EXPECT) {
            Ok(words) => rootless::without_cgroups(&words),
            Err(_) => host::features(Some(USER)),
        };
        let names = suite.names_but(&SAME)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        tiers.push(("py-rootless", suite.pytest(&python, &names, &expect, Some(USER))?));
    }
    Ok(tiers)
}

/// Builds the wheel from the target directory of everything else.
fn wheel(target: &Path) -> Outcome<PathBuf> {
    let maturin = tool(target, MATURIN)?;
    let wheels = target.join("python/wheels");
    let _ = fs::remove_dir_all(&wheels);
    // With variables of `cargo run`, cargo would compile anew what looks at them, now and afterwards.
    let mut build = command::outside(&maturin);
    build
        .args(["build", "--profile", "dev", "--locked", "--interpreter", host::PYTHON])
        .args(["--manifest-path", "bindings/python/Cargo.toml", "--out"])
        .arg(&wheels)
        .env("CARGO_TARGET_DIR", target);
    command::run(&mut build)?;
    let entries =
        fs::read_dir(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .find(|file| file.extension().is_some_and(|end| end == "whl"))
        .ok_or_else(|| format!("maturin left no wheel in {}", wheels.display()))
}

/// A program of PyPI in this version, installed below the target directory if it is not there.
pub(crate) fn tool(target: &Path, (name, version): (&str, &str)) -> Outcome<PathBuf> {
    let tools = target.join("python").join(name);
    let program = tools.join("bin").join(name);
    let found = Command::new(&program).arg("--version").output().ok();
    let found = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if found != Some(format!("{name} {version}")) {
        venv(Path::new(host::PYTHON), &tools)?;
        pip(&tools, &[&format!("{name}=={version}")])?;
    }
    Ok(program)
}

fn venv(python: &Path, folder: &Path) -> Outcome {
    let mut make = Command::new(python);
    make.args(["-m", "venv", "--clear"]).arg(folder).stdin(Stdio::null());
    command::run(&mut make)
}

fn pip(venv: &Path, what: &[&str]) -> Outcome {
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(what);
    pip.current_dir(workspace::root().join(PACKAGE)).stdin(Stdio::null());
    command::run(&mut pip)
}

/// Copies what tests read to where every user can read it, without the sources of the package: only
/// what was installed must be found.
fn stage_tests(to: &Path) -> Outcome {
    let from = workspace::root().join(PACKAGE);
    for part in ["tests", "examples", "docs", "benches", "README.md", "pyproject.toml"] {
        copy(&from.join(part), &to.join(part))?;
    }
    Ok(())
}

pub(super) fn copy(from: &Path, to: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("copying {}: {error}", from.display());
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).map_err(failed);
    }
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name != "__pycache__" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// The oldest and the newest interpreter that the package is for, besides the system's.
fn interpreters() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for minor in 9..=14 {
        let name = format!("python3.{minor}");
        let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
        let pyenv = pyenv.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
        let versions = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
        let kept = versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let folders: Vec<PathBuf> = kept.collect();
        let works = |python: &PathBuf| {
            let version = format!("import sys; assert sys.version_info[1] == {minor}");
            command::succeeds(Command::new(python).args(["-c", &version]))
        };
        found.extend(command::find(&name, &folders).filter(works).map(|python| (minor, python)));
    }
    let system = [9..=10, 12..=14];
    let of = |range: &std::ops::RangeInclusive<u32>| {
        let mut fitting = found.iter().filter(|(minor, _)| range.contains(minor));
        if *range.start() == 9 { fitting.next() } else { fitting.next_back() }
    };
    system.iter().filter_map(of).map(|(_, python)| python.clone()).collect()
}

/// What is tested, and where.
struct Suite<'a> {
    stage: &'a Stage,
    wheel: &'a Path,
    tests: &'a Path,
}

impl Suite<'_> {
    /// A new environment that holds the wheel, and what tests need besides; gives its interpreter.
    fn environment(&self, python: &Path, name: &str, needs: &[&str]) -> Outcome<PathBuf> {
        let folder = self.stage.folder().join(name);
        venv(python, &folder)?;
        let wheel = format!("{}[executor]", self.wheel.display());
        pip(&folder, &[&[wheel.as_str()], needs].concat())?;
        Ok(folder.join("bin/python"))
    }

    /// The files of tests, without some.
    fn names_but(&self, some: &[&str]) -> Outcome<Vec<String>> {
        let folder = self.tests.join("tests");
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let wanted = |name: &String| name.starts_with("test_") && !some.contains(&name.as_str());
        let mut names: Vec<String> = names.filter(wanted).collect();
        names.sort();
        Ok(names)
    }

    /// Runs tests, all if none are named, and counts.
    fn pytest(
        &self,
        python: &Path,
        names: &[&str],
        expect: &str,
        user: Option<u32>,
    ) -> Outcome<Tally> {
        let mut pytest = Command::new(python);
        pytest
            .args(["-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--quiet"])
            .args(names.iter().map(|name| format!("tests/{name}")))
            .env_clear()
            .env("PATH", PATH)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("XDG_CACHE_HOME", runtimes::cache())
            .env(EXPECT, expect)
            .current_dir(self.tests);
        for name in ["HOME", "TMPDIR"] {
            pytest.env(name, self.stage.home());
        }
        if let Some(user) = user {
            pytest.uid(user).gid(user);
        }
        watch(&mut pytest)
    }
}

/// Runs pytest, shows what it prints, and counts what its last line says.
fn watch(pytest: &mut Command) -> Outcome<Tally> {
    let line = command::line(pytest);
    println!("$ {line}");
    let failure = |error| format!("cannot run `{line}`: {error}");
    let (output, input) = pipe().map_err(failure)?;
    pytest.stdin(Stdio::null()).stdout(input.try_clone().map_err(failure)?).stderr(input);
    let mut child = pytest.spawn().map_err(failure)?;
    // Our copies of the pipe's writing end would keep it open.
    pytest.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut tally, mut counted) = (Tally::default(), false);
    for bytes in BufReader::new(output).split(b'\n') {
        let text = String::from_utf8_lossy(&bytes.map_err(failure)?).into_owned();
        println!("{text}");
        if let Some((name, reason)) = skip_line(&text) {
            tally.skip(name, reason);
        } else if let Some([passed, failed, skipped]) = summary(&text) {
            (tally.passed, tally.failed, counted) = (passed, failed, true);
            if skipped != tally.skips.len() {
                println!("{skipped} tests were skipped, and {} said why", tally.skips.len());
                tally.failed += 1;
            }
        }
    }
    let status = child.wait().map_err(failure)?;
    if !counted || (!status.success() && tally.failed == 0) {
        println!("`{line}` ended without a result: {status}");
        tally.failed += 1;
    }
    Ok(tally)
}

/// Passed, failed and skipped, from pytest's last line: `1 failed, 20 passed, 3 skipped in 4.20s`.
pub(super) fn summary(line: &str) -> Option<[usize; 3]> {
    let line = line.trim_matches(['=', ' ']);
    let (counts, time) = line.rsplit_once(" in ")?;
    if !time.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut found = [0; 3];
    for part in counts.split(", ") {
        let (number, word) = part.split_once(' ')?;
        let number: usize = number.parse().ok()?;
        match word {
            "passed" => found[0] += number,
            "failed" | "error" | "errors" => found[1] += number,
            "skipped" => found[2] += number,
            _ => {}
        }
    }
    Some(found)
}
