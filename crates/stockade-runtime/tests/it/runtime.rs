//! The runtime under test, and what it needs of the host.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    let named = env::var_os("STOCKADE_OCI_BIN");
    named.map_or_else(|| env!("CARGO_BIN_EXE_stockade-oci").into(), PathBuf::from)
}

/// Whether what is tested is Stockade's, and not the runtime that it is compared with.
pub(crate) fn is_stockade() -> bool {
    binary().file_name().is_some_and(|name| name == "stockade-oci")
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its exit status, or 128 and the number of the signal that ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// That it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// What it printed, without the space around.
    pub(crate) fn text(&self) -> &str {
        self.stdout.trim()
    }
}

/// An exit status as shells give it.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Outcome {
    match command.output() {
        Ok(output) => output.into(),
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

/// Says that the test that asks is skipped.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn skip(reason: &str) -> bool {
    let thread = thread::current();
    println!("SKIP: {}: {reason}", thread.name().unwrap_or("a test"));
    true
}

/// Whether the test that asks is to be left out because this host cannot run a container. For a user
/// who is not root it has a user namespace with one id, and no control groups.
pub(crate) fn cannot_run() -> bool {
    if !Path::new(BUSYBOX).is_file() {
        return skip("there is no /usr/bin/busybox to make a bundle of");
    }
    if !is_root() && !has_user_namespaces() {
        return skip("this user cannot make user namespaces");
    }
    false
}

/// The same for a test of what root alone can have: control groups, devices, other ids.
pub(crate) fn cannot_run_as_root() -> bool {
    if !is_root() {
        return skip("control groups, devices and other ids are for root to give");
    }
    if cannot_run() {
        return true;
    }
    if !is_unified() && !Path::new(CGROUPS).join("memory").is_dir() {
        return skip("there are no control groups that count memory, of either version");
    }
    false
}

/// Whether this process may make user namespaces.
fn has_user_namespaces() -> bool {
    Command::new(BUSYBOX).args(["unshare", "-U", "true"]).status().is_ok_and(|it| it.success())
}

/// Where control groups are mounted.
pub(crate) const CGROUPS: &str = "/sys/fs/cgroup";

/// Whether control groups are of version 2 and no other.
pub(crate) fn is_unified() -> bool {
    Path::new(CGROUPS).join("cgroup.controllers").is_file()
}

/// Whether the test that asks is to be left out besides because it is about what only Stockade does.
pub(crate) fn is_not_ours() -> bool {
    !is_stockade() && skip("this is not about what other runtimes do")
}

/// Whether this process may do what root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program without a library, which is a whole system.
pub(crate) const BUSYBOX: &str = "/usr/bin/busybox";

/// A number that no other test has, and this process had not before.
pub(crate) fn number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A directory that is removed with this value.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        Self::at(env::temp_dir().join(format!("stockade-runtime-{}-{}", process::id(), number())))
    }

    /// One with a short path, which podman wants of 50 characters at most.
    pub(crate) fn short() -> Self {
        Self::at(format!("/tmp/stockade-{}-{}", process::id(), number()).into())
    }

    fn at(dir: PathBuf) -> Self {
        fs::create_dir(&dir).expect("a fresh directory");
        Self(dir.canonicalize().expect("it is there"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The mounts of this process below a directory, the last first.
pub(crate) fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("a table of mounts");
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut found: Vec<PathBuf> = points.filter(|point| point.starts_with(dir)).collect();
    found.reverse();
    found
}
