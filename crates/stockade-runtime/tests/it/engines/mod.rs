//! Real engines that are given the runtime: containerd, Docker and podman.
//!
//! Each is private: its files, sockets and state are in a directory of the test's, it has no network, and
//! its mounts are in a namespace of its own, which ends with it. It is ended by its pid.

mod attacks;
mod containerd;
mod docker;
mod image;
mod podman;
mod sandbox;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::container::PATIENCE;
use crate::runtime::{
    Outcome, TempDir, cannot_run, cannot_run_as_root, finish, is_stockade, mounts_below, number,
    skip,
};

/// How long an engine may take to be there.
const STARTED: Duration = Duration::from_secs(60);

/// Where an engine's test has all its files; what is left of the engine goes with it.
pub(crate) struct Ground {
    dir: TempDir,
    /// The name of the control group that all its containers are below.
    pub(crate) group: String,
}

impl Ground {
    /// A ground with the image in it, or nothing where a program is missing that an engine needs.
    fn new(programs: &[&str]) -> Option<Self> {
        if cannot_run_as_root() { None } else { Self::of_user(programs) }
    }

    /// The same for whoever this is.
    fn of_user(programs: &[&str]) -> Option<Self> {
        if cannot_run() {
            return None;
        }
        for program in programs {
            if find(program).is_none() {
                skip(&format!("there is no `{program}`"));
                return None;
            }
        }
        let this = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(this)).expect("a subreaper");
        let ground = Self {
            dir: TempDir::short(),
            group: format!("stockade-engine-{}-{}", process::id(), number()),
        };
        image::write(&ground.file("image.tar"));
        Some(ground)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path in it, as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.file(name).to_str().expect("a name").to_owned()
    }

    /// The processes that name this ground in their arguments: an engine's shims and monitors do.
    fn processes(&self) -> Vec<Pid> {
        let place = self.path().to_str().expect("a name");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("processes").flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if let Some(pid) = pid.and_then(Pid::from_raw)
                && String::from_utf8_lossy(&words).contains(place)
            {
                found.push(pid);
            }
        }
        found
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // First what would start others; what a shim leaves behind ends with its group.
        for pid in self.processes() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        for controller in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            remove_group(&controller.path().join(&self.group));
        }
        for point in mounts_below(self.path()) {
            let _ = rustix::mount::unmount(&point, rustix::mount::UnmountFlags::DETACH);
        }
        reap_strays();
    }
}

/// Ends all processes of a group and removes it.
fn remove_group(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for pid in procs.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        let _ = fs::write(group.join("freezer.state"), "THAWED");
        if procs.is_empty() && fs::remove_dir(group).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for what engines have left to this process, which is their reaper: shims and monitors leave
/// their parents.
fn reap_strays() {
    let me = process::id().to_string();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        let mut fields = rest.split(' ');
        let dead = fields.next() == Some("Z") && fields.next() == Some(me.as_str());
        let stray = ["(containerd-shim", "(conmon", "(catatonit", "(podman", "(docker-init"];
        let pid = name.split(' ').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        if dead && stray.iter().any(|stray| name.contains(stray)) {
            let _ = rustix::process::waitpid(pid, WaitOptions::NOHANG);
        }
    }
}

/// A daemon that is ended with this value.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon with a namespace of mounts of its own, and waits until it is there.
    fn start(ground: &Ground, words: &[&str], there: impl Fn(u32) -> bool) -> Self {
        let log = ground.file("daemon.log");
        let output = File::create(&log).expect("a file");
        // Each program becomes the next, so that the pid is the daemon's. Shims have their sockets in the
        // same directory whatever they are told.
        let script =
            "mkdir -p /run/containerd && mount -t tmpfs none /run/containerd && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).args(words);
        command.stdin(Stdio::null()).stderr(output.try_clone().expect("a descriptor"));
        let child = command.stdout(output).spawn().expect("unshare(1) starts");
        let mut daemon = Self { child, log };
        let begun = Instant::now();
        while !there(daemon.child.id()) {
            let over = daemon.child.try_wait().expect("its state").is_some();
            if over || begun.elapsed() > STARTED {
                panic!("{words:?} is not there:\n{}", daemon.says());
            }
            thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    /// A command among the mounts of this daemon.
    fn beside(pid: u32, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{pid}/ns/mnt")).arg(program);
        command
    }

    /// What it has logged.
    pub(crate) fn says(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.says();
            let lines: Vec<&str> = log.lines().rev().take(30).collect();
            let _ = std::io::Write::write_all(&mut std::io::stderr(), lines.join("\n").as_bytes());
        }
    }
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let here = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    here.map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Names the version that is tested.
#[expect(clippy::print_stdout, reason = "a test says what it ran with")]
fn say_version(engine: &str, version: &Outcome) {
    let runtime = if is_stockade() { "stockade-oci" } else { "another runtime" };
    let words: Vec<&str> = version.stdout.split_whitespace().collect();
    println!("{engine}: {} with {runtime}", words.join(" "));
}

/// Runs a command with a terminal, which script(1) makes; what it prints and its status.
fn with_terminal(command: &Command) -> Outcome {
    let quoted =
        |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let mut outcome = finish(script.stdin(Stdio::null()));
    outcome.stdout =
        outcome.stdout.replace(['\r', '\0'], "").replace("^@", "").replace('\u{8}', "");
    outcome
}
