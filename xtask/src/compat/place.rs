//! The two sides: a program outside, and the same one in a sandbox.

use super::ground::Ground;
use crate::test::rootless::{Stage, is_open};
use crate::{Outcome, command, host};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What both sides have; the default policy has it too.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Who runs programs outside when this process is root: `nobody`, since some look for their name.
const USER: u32 = 65_534;

/// Open files, on both sides: some programs look at the limit.
const FILES: &str = "1024";

/// The policy: the default profile, loopback, and limits that none of the programs reaches.
const POLICY: [&str; 20] = [
    "--memory",
    "4GiB",
    "--cpu-time",
    "60m",
    "--wall-time",
    "60m",
    "--processes",
    "1024",
    "--open-files",
    FILES,
    "--file-size",
    "16GiB",
    "--disk",
    "1GiB",
    "--output",
    "64MiB",
    "--network",
    "loopback",
    "--best-effort",
    "memory,cpu_time,processes",
];

/// Where programs run.
pub(super) struct Place {
    stage: Stage,
    stockade: PathBuf,
    /// What was fetched, where an ordinary user reaches it.
    pub(super) folder: PathBuf,
    homes: AtomicUsize,
}

/// One program with its arguments.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) words: &'a [&'a str],
    pub(super) env: &'a [(&'a str, &'a str)],
    pub(super) input: Option<&'a Path>,
    /// Options of `stockade run` beside those of every program.
    pub(super) options: &'a [&'a str],
}

impl Place {
    pub(super) fn new(cli: &Path, ground: &Ground) -> Outcome<Self> {
        let stage = Stage::new().map_err(|error| format!("a folder for programs: {error}"))?;
        let stockade = stage.copy("stockade", cli)?;
        let mut folder = ground.folder.clone();
        if host::is_root() && !is_open(&folder) {
            folder = stage.folder().join("compat");
            command::run(Command::new("cp").arg("-r").args([&ground.folder, &folder]))?;
            // Whatever the umask says.
            command::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&folder))?;
        }
        Ok(Self { stage, stockade, folder, homes: AtomicUsize::new(0) })
    }

    /// A folder for what programs are compiled to.
    pub(super) fn programs(&self) -> &Path {
        self.stage.folder()
    }

    /// An empty folder that belongs to the user outside.
    fn home(&self) -> io::Result<PathBuf> {
        let number = self.homes.fetch_add(1, Ordering::Relaxed);
        let home = self.stage.folder().join(format!("home-{number}"));
        fs::create_dir(&home)?;
        if host::is_root() {
            chown(&home, Some(USER), Some(USER))?;
        }
        Ok(home)
    }

    fn outside(&self, call: Call) -> io::Result<Output> {
        let home = self.home()?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("umask 022 && ulimit -n {FILES} && exec \"$@\""), "sh"])
            .args(call.words);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", &home);
        command.env("TMPDIR", &home).envs(call.env.iter().copied()).current_dir(&home);
        if host::is_root() {
            command.uid(USER).gid(USER);
        }
        output(command, call.input)
    }

    fn inside(&self, call: Call) -> io::Result<Output> {
        let mut command = Command::new(&self.stockade);
        command.arg("run").args(POLICY).arg("--ro").arg(&self.folder).args(call.options);
        for (name, value) in call.env {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.arg("--").args(call.words);
        output(command, call.input)
    }

    /// Runs the program on both sides at once; what it gave outside comes first.
    pub(super) fn both(&self, call: Call) -> Outcome<[Output; 2]> {
        let (outside, inside) = thread::scope(|scope| {
            let outside = scope.spawn(|| self.outside(call));
            let inside = self.inside(call);
            (outside.join(), inside)
        });
        let failure = |error| format!("cannot run `{}`: {error}", call.words.join(" "));
        let outside = outside.map_err(|_| "a thread panicked".to_owned())?;
        Ok([outside.map_err(failure)?, inside.map_err(failure)?])
    }
}

fn output(mut command: Command, input: Option<&Path>) -> io::Result<Output> {
    command.stdin(input.map_or(Ok(Stdio::null()), |file| File::open(file).map(Stdio::from))?);
    command.output()
}

/// What a program gave, for a reader: status, and the end of what it said.
pub(super) fn shown(side: &str, output: &Output) -> String {
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n    ");
    format!("  {side}: {}\n    {tail}", output.status)
}

/// Why a program that should do the same on both sides, and succeed, did not.
pub(super) fn fault([outside, inside]: &[Output; 2]) -> Option<String> {
    let said = if outside.stdout == inside.stdout { "the same" } else { "something else" };
    let is_same = outside.status == inside.status && outside.stdout == inside.stdout;
    if is_same && outside.status.success() && !outside.stdout.is_empty() {
        return None;
    }
    Some(format!(
        "said {said} on standard output\n{}\n{}",
        shown("outside", outside),
        shown("inside", inside)
    ))
}
