//! The programs in `tests/`, each in every way that suits it.

use super::program::{Manner, Way, results};
use super::{Place, count};
use crate::test::rootless::{self, USER};
use crate::test::tally::Tally;
use crate::test::{EXPECT, python};
use crate::{Outcome, command, host, runtimes, valgrind};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Compilers, by the ends of file names, with the standard that is held to.
const COMPILERS: [(&str, [&str; 2]); 2] =
    [(".c", ["gcc", "-std=c11"]), (".cpp", ["g++", "-std=c++17"])];
/// As strict as what users compile with.
const STRICT: [&str; 4] = ["-pedantic", "-Wall", "-Wextra", "-Werror"];
/// Reads that valgrind must not take for mistakes, with the reasons.
const SUPPRESSED: &str = "--suppressions=valgrind.supp";
/// A program that does not call the library is not linked with it.
const BUILT: [&str; 5] = ["-g", "-O1", "-pthread", "-fno-omit-frame-pointer", "-Wl,--as-needed"];
const CHECKED: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/// What valgrind answers with when it has found something.
const FOUND: &str = "--error-exitcode=99";
/// Programs that run at once.
const WORKERS: usize = 2;
/// Seconds after which a program hangs.
const PATIENCE: &str = "300";

/// Lines that are shown of the beginning and of the end of what a failed program printed.
const SHOWN: usize = 80;

/// One program in one way.
struct Job {
    /// The name of its source.
    name: String,
    way: Way,
    alone: bool,
}

/// Compiles and runs all; gives a tier for each kind of check, the plain one first.
pub(super) fn run(place: &Place, expect: &str) -> Outcome<Vec<(&'static str, Tally)>> {
    let mut tiers =
        ["c", "c-asan", "c-valgrind", "c-rootless"].map(|name| (name, Tally::default()));
    let suite = Suite::new(place, expect)?;
    let mut jobs = Vec::new();
    for name in suite.names()? {
        let text = fs::read_to_string(place.tests.join(&name))
            .map_err(|error| format!("{name}: {error}"))?;
        match Manner::read(&text) {
            Ok(Manner { ways, alone }) => {
                jobs.extend(ways.into_iter().map(|way| Job { name: name.clone(), way, alone }))
            }
            Err(reason) => count(&mut tiers[0].1, &name, Err(reason)),
        }
    }
    if !jobs.iter().any(|job| job.way == Way::Static) {
        count(&mut tiers[0].1, "a program with the static library", Err("none says so".to_owned()));
    }
    for way in [Way::Asan, Way::Valgrind, Way::Rootless] {
        if let Some(reason) = suite.lacks(way) {
            jobs.retain(|job| job.way != way);
            // Of a user without privileges, the plain way is this one.
            if way != Way::Rootless {
                tiers[tier(way)].1.skip(way.name(), reason);
            }
        }
    }
    suite.build(&mut jobs, &mut tiers[0].1);
    // What takes longest begins first.
    jobs.sort_by_key(|job| job.way != Way::Valgrind);
    let (alone, together): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.alone);
    let mut all = side_by_side(together, WORKERS, |job| (job.way, suite.run(job)));
    all.extend(side_by_side(alone, 1, |job| (job.way, suite.run(job))));
    for (way, tally) in all {
        tiers[tier(way)].1.add(tally);
    }
    let rootless = usize::from(host::is_root());
    Ok(tiers.into_iter().take(3 + rootless).collect())
}

/// What compiles a file, and by which standard; `None` for what is no program.
fn compiler(file: &str) -> Option<[&'static str; 2]> {
    COMPILERS.iter().find(|(end, _)| file.ends_with(end)).map(|(_, words)| *words)
}

/// Where a way is counted.
fn tier(way: Way) -> usize {
    match way {
        Way::Plain | Way::Static => 0,
        Way::Asan => 1,
        Way::Valgrind => 2,
        Way::Rootless => 3,
    }
}

/// Does something with each item, so many at once.
fn side_by_side<T: Send, R: Send>(
    items: Vec<T>,
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (items, done) = (Mutex::new(items.into_iter()), Mutex::new(Vec::new()));
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let result = work(&item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The first and the last lines of what a program printed, without what valgrind says of itself.
pub(super) fn shortened(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    if lines.len() > 2 * SHOWN {
        lines.splice(SHOWN..lines.len() - SHOWN, ["[…]"]);
    }
    lines.join("\n")
}

/// What the programs are compiled and run with.
struct Suite<'a> {
    place: &'a Place<'a>,
    expect: &'a str,
    /// What holds for the user without privileges.
    expect_of_user: String,
    /// Flags before and libraries after the source; the same for the static library.
    shared: Vec<String>,
    statics: Vec<String>,
    valgrind: Outcome<Vec<OsString>>,
}

impl<'a> Suite<'a> {
    fn new(place: &'a Place<'a>, expect: &'a str) -> Outcome<Self> {
        let shared = place.pkg_config(&["--cflags", "--libs"])?;
        let mut statics = place.pkg_config(&["--static", "--cflags", "--libs"])?;
        for word in &mut statics {
            // The shared library beside it would be taken.
            if word == "-lstockade" {
                "-l:libstockade.a".clone_into(word);
            }
        }
        let expect_of_user = match env::var(EXPECT) {
            _ if !host::is_root() => String::new(),
            Ok(words) => rootless::without_cgroups(&words),
            Err(_) => host::features(Some(USER)),
        };
        let folder = place.stage.folder().join("programs");
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self {
            place,
            expect,
            expect_of_user,
            shared,
            statics,
            valgrind: valgrind::for_sandboxes(place.target),
        })
    }

    /// The sources of the programs.
    fn names(&self) -> Outcome<Vec<String>> {
        let folder = &self.place.tests;
        let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = files.filter(|file| compiler(file).is_some()).collect();
        names.sort();
        Ok(names)
    }

    /// Why nothing can be run in a way, if so.
    fn lacks(&self, way: Way) -> Option<&str> {
        let asan = || {
            let mut probe = Command::new("gcc");
            let source = self.place.stage.folder().join("probe.c");
            probe.args(CHECKED).arg("-o").arg(source.with_extension("")).arg(&source);
            fs::write(&source, "int main(void) { return 0; }\n").is_ok()
                && command::succeeds(&mut probe)
        };
        match way {
            Way::Asan if !asan() => Some("gcc has no libasan and libubsan here"),
            Way::Valgrind => self.valgrind.as_ref().err().and_then(|reason| reason.lines().next()),
            Way::Rootless if !host::is_root() => Some("this user has none"),
            _ => None,
        }
    }

    fn executable(&self, name: &str, way: Way) -> PathBuf {
        let stem = name.split('.').next().unwrap_or(name);
        let kind = match way {
            Way::Plain | Way::Valgrind | Way::Rootless => "",
            Way::Static => "-static",
            Way::Asan => "-asan",
        };
        self.place.stage.folder().join("programs").join(format!("{stem}{kind}"))
    }

    /// Compiles what the jobs need; those whose program does not compile are taken away.
    fn build(&self, jobs: &mut Vec<Job>, tally: &mut Tally) {
        let mut wanted: Vec<(&str, Way, PathBuf)> = Vec::new();
        for job in jobs.iter() {
            let file = self.executable(&job.name, job.way);
            if !wanted.iter().any(|(_, _, other)| *other == file) {
                wanted.push((&job.name, job.way, file));
            }
        }
        let outcomes = side_by_side(wanted, WORKERS, |(name, way, file)| {
            (file.clone(), self.compile(name, *way))
        });
        for (file, outcome) in outcomes {
            let Err(text) = outcome else { continue };
            jobs.retain(|job| self.executable(&job.name, job.way) != file);
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            count(tally, &format!("compiling {name}"), Err(text));
        }
    }

    fn compile(&self, name: &str, way: Way) -> Outcome {
        let [compiler, standard] = compiler(name).ok_or("no compiler is for this")?;
        let mut gcc = Command::new(compiler);
        gcc.arg(standard).args(STRICT).args(BUILT).arg("-o").arg(self.executable(name, way));
        if way == Way::Asan {
            gcc.args(CHECKED);
        }
        gcc.arg(self.place.tests.join(name));
        gcc.args(if way == Way::Static { &self.statics } else { &self.shared });
        command::quietly(&mut gcc).map(drop)
    }

    /// Runs one, shows what it printed if it failed, and counts.
    fn run(&self, job: &Job) -> Tally {
        let Job { name, way, .. } = job;
        let started = Instant::now();
        let (text, succeeded, status) = match self.command(job).output() {
            Ok(Output { status, stdout, stderr }) => {
                let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
                (text, status.success(), status.to_string())
            }
            Err(error) => (String::new(), false, error.to_string()),
        };
        let tally = results(&text, succeeded);
        let way = way.name();
        let (passed, skipped) = (tally.passed, tally.skips.len());
        let seconds = started.elapsed().as_secs();
        let counts = format!("{passed} passed, {skipped} skipped, {seconds} s");
        if tally.failed == 0 {
            println!("c: {name} {way} ... ok: {counts}");
        } else {
            let (failed, text) = (tally.failed, shortened(&text));
            println!("c: {name} {way} ... FAILED: {counts}, {failed} failed, {status}\n{text}");
        }
        tally
    }

    fn command(&self, job: &Job) -> Command {
        let place = self.place;
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", PATIENCE]);
        if let (Way::Valgrind, Ok(words)) = (job.way, &self.valgrind) {
            command.args(words).args(["--quiet", "--leak-check=full", FOUND, SUPPRESSED]);
            command.args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
        }
        command
            .arg(self.executable(&job.name, job.way))
            .env_clear()
            .env("PATH", python::PATH)
            .env("XDG_CACHE_HOME", runtimes::cache())
            .env("LD_LIBRARY_PATH", place.lib())
            .env("STOCKADE_TEST_WAY", job.way.name())
            .env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
            .env("UBSAN_OPTIONS", "print_stacktrace=1")
            .current_dir(&place.tests)
            .stdin(Stdio::null());
        for name in ["HOME", "TMPDIR"] {
            command.env(name, place.stage.home());
        }
        if job.way == Way::Rootless {
            command.uid(USER).gid(USER).env(EXPECT, &self.expect_of_user);
        } else {
            command.env(EXPECT, self.expect);
        }
        command
    }
}
