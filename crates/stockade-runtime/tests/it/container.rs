//! [`Container`]: one container, called as an engine calls it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};
use std::{process, thread};

use rustix::process::{Pid, WaitOptions, WaitStatus};
use serde_json::{Value, json};

use crate::bundle::{Bundle, populate};
use crate::runtime::{
    CGROUPS, Outcome, binary, code, finish, is_root, is_unified, mounts_below, number,
};

/// How long anything here may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A container with a bundle and a state directory of its own, deleted by force with this value.
///
/// The process of the tests is the subreaper of all it starts, as an engine's shim is, so that the
/// container's first process is its child once `create` is over.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) bundle: Bundle,
    /// What is put between the options of all commands and the command.
    pub(crate) options: Vec<String>,
    /// Where its control groups are in their hierarchies.
    pub(crate) group: String,
    pid: Option<Pid>,
}

impl Container {
    /// A container that is not yet made, which will run this.
    pub(crate) fn new(args: &[&str]) -> Self {
        let container = Self::bare(args);
        populate(&container.bundle.root(""));
        container
    }

    /// The same without files of its own.
    pub(crate) fn bare(args: &[&str]) -> Self {
        static REAPER: Once = Once::new();
        REAPER.call_once(|| {
            let this = rustix::process::getpid();
            rustix::process::set_child_subreaper(Some(this)).expect("a subreaper");
        });
        let id = format!("stockade-runtime-{}-{}", process::id(), number());
        let mut bundle = Bundle::new(args);
        if is_root() {
            bundle.set("/linux/cgroupsPath", json!(format!("/{id}")));
        } else {
            bundle.take_rights();
        }
        let group = id.clone();
        Self { id, bundle, options: Vec::new(), group, pid: None }
    }

    /// One that runs a script.
    pub(crate) fn script(text: &str) -> Self {
        Self::new(&["sh", "-c", text])
    }

    /// One that waits to be killed.
    pub(crate) fn sleeper() -> Self {
        Self::new(&["sleep", "1000"])
    }

    /// One that sleeps and has been started.
    pub(crate) fn sleeping() -> Self {
        let mut container = Self::sleeper();
        container.started();
        container
    }

    /// Changes the configuration; see [`Bundle::set`].
    pub(crate) fn set(mut self, pointer: &str, value: Value) -> Self {
        self.bundle.set(pointer, value);
        self
    }

    /// A path in the bundle.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.bundle.path().join(name)
    }

    /// Where the runtime keeps what it knows.
    pub(crate) fn state_root(&self) -> PathBuf {
        self.file("state")
    }

    /// The runtime, with the options that engines give first.
    pub(crate) fn runtime(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("--root").arg(self.state_root()).arg("--log").arg(self.file("log"));
        command.args(["--log-format", "json"]).args(&self.options).stdin(Stdio::null());
        command
    }

    /// Calls a command of the runtime.
    #[track_caller]
    pub(crate) fn call(&self, words: &[&str]) -> Outcome {
        finish(self.runtime().args(words))
    }

    /// Calls a command of the runtime on this container.
    #[track_caller]
    pub(crate) fn on(&self, words: &[&str]) -> Outcome {
        finish(self.runtime().args(words).arg(&self.id))
    }

    /// What was last written to the log as an error.
    pub(crate) fn error(&self) -> String {
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut errors = lines.filter(|line| line["level"] == "error" || line["level"] == "fatal");
        errors.next().and_then(|line| Some(line["msg"].as_str()?.to_owned())).unwrap_or_default()
    }

    /// Makes it. Its streams are files in the bundle, since what inherits a pipe keeps it open.
    #[track_caller]
    pub(crate) fn create(&mut self) -> Outcome {
        self.create_with(&[])
    }

    /// Makes it, with more options.
    #[track_caller]
    pub(crate) fn create_with(&mut self, options: &[&str]) -> Outcome {
        self.bundle.write();
        let mut command = self.runtime();
        command.arg("create").args(options).arg("--bundle").arg(self.bundle.path());
        command.arg("--pid-file").arg(self.file("pid")).arg(&self.id);
        if let Ok(input) = File::open(self.file("stdin")) {
            command.stdin(input);
        }
        let outcome = self.run_with_files(&mut command);
        let pid = fs::read_to_string(self.file("pid")).unwrap_or_default();
        self.pid = pid.parse().ok().and_then(Pid::from_raw);
        outcome
    }

    /// Runs a command whose streams are files in the bundle.
    #[track_caller]
    pub(crate) fn run_with_files(&self, command: &mut Command) -> Outcome {
        let file = |name: &str| File::create(self.file(name)).expect("a file");
        let status = command.stdout(file("stdout")).stderr(file("stderr")).status();
        let read = |name: &str| fs::read(self.file(name)).unwrap_or_default();
        Outcome {
            code: code(status.expect("the runtime starts")),
            stdout: String::from_utf8_lossy(&read("stdout")).into_owned(),
            stderr: String::from_utf8_lossy(&read("stderr")).into_owned(),
        }
    }

    /// Makes and starts it.
    #[track_caller]
    pub(crate) fn started(&mut self) {
        self.create().ok();
        self.on(&["start"]).ok();
    }

    /// The number of its first process on the host.
    #[track_caller]
    pub(crate) fn pid(&self) -> Pid {
        self.pid.expect("it was made")
    }

    /// Something about its first process in /proc.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid().as_raw_nonzero().to_string()).join(name)
    }

    /// Waits for its first process, as its engine does: an exit status, or 128 and a signal's number.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        let pid = self.pid.take().expect("it was made");
        reap(pid).unwrap_or_else(|| panic!("{} does not end", self.id))
    }

    /// Makes it, starts it and waits for it; gives its status and what it printed.
    #[track_caller]
    pub(crate) fn run(&mut self) -> (i32, String) {
        self.started();
        let status = self.wait();
        (status, self.stdout())
    }

    /// What it prints, when it must end well.
    #[track_caller]
    pub(crate) fn says(&mut self) -> String {
        let (status, stdout) = self.run();
        let stderr = fs::read_to_string(self.file("stderr")).unwrap_or_default();
        assert_eq!(status, 0, "{stdout}{stderr}");
        stdout.trim_end().to_owned()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        let bytes = fs::read(self.file("stdout")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has complained about so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.file("stderr")).unwrap_or_default()
    }

    /// What `state` says.
    #[track_caller]
    pub(crate) fn state(&self) -> Value {
        let outcome = self.on(&["state"]).ok();
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// The status that `state` says.
    #[track_caller]
    pub(crate) fn status(&self) -> String {
        self.state()["status"].as_str().expect("a status").to_owned()
    }

    /// A file of the control group that has a controller: on version 2 the only one.
    pub(crate) fn group(&self, controller: &str, file: &str) -> PathBuf {
        let hierarchy = if is_unified() { "" } else { controller };
        Path::new(CGROUPS).join(hierarchy).join(&self.group).join(file)
    }

    /// What a file of one of its control groups says.
    #[track_caller]
    pub(crate) fn group_says(&self, controller: &str, file: &str) -> String {
        let path = self.group(controller, file);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }

    /// That nothing of it is left.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        assert_eq!(self.traces(), Vec::<String>::new(), "left of {}", self.id);
    }

    /// Its control groups.
    fn groups(&self) -> impl Iterator<Item = PathBuf> {
        let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
        let hierarchies = hierarchies.map(|entry| entry.path()).chain([CGROUPS.into()]);
        hierarchies.map(|hierarchy| hierarchy.join(&self.group)).filter(|group| group.exists())
    }

    /// Removes its control groups, for a test that took from the runtime what it knew of them.
    #[track_caller]
    pub(crate) fn remove_groups(&self) {
        // What was in them has been waited for, and may still be on its way out.
        until("its groups are gone", || {
            self.groups().for_each(|group| drop(fs::remove_dir(group)));
            self.groups().next().is_none()
        });
    }

    /// All that there is of it: processes, control groups, mounts and files of the runtime's.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.groups().map(|group| group.display().to_string()));
        let mounts = mounts_below(self.bundle.path());
        found.extend(mounts.iter().map(|point| format!("mount {}", point.display())));
        let state = self.state_root().join(&self.id);
        if state.exists() {
            found.push(state.display().to_string());
        }
        found.extend(self.processes().iter().map(|pid| format!("process {pid}")));
        found
    }

    /// The processes that have its bundle as their root, or came from it: whatever runs in it.
    fn processes(&self) -> Vec<String> {
        let root = self.bundle.root("");
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
            let inside = |link: &str| {
                let target = fs::read_link(entry.path().join(link));
                target.is_ok_and(|target| target.starts_with(&root))
            };
            // A runtime that is still at work names the container.
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let named = words.split(|byte| *byte == 0).any(|word| word == self.id.as_bytes());
            if numeric && (inside("root") || inside("cwd") || inside("exe") || named) {
                found.push(format!("{name} {}", String::from_utf8_lossy(&words)));
            }
        }
        found
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // What cannot be removed is named by the test that looks; here there is nobody to tell.
        let _ = self.runtime().args(["delete", "--force"]).arg(&self.id).output();
        if let Some(pid) = self.pid.take() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = reap(pid);
        }
    }
}

/// Waits for a child that was started by another process; its status, unless it does not end.
pub(crate) fn reap(pid: Pid) -> Option<i32> {
    let over = |status: WaitStatus| {
        status.exit_status().or_else(|| status.terminating_signal().map(|number| 128 + number))
    };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => return over(status),
            Ok(None) => thread::sleep(Duration::from_millis(1)),
            Err(_) => return None,
        }
    }
    None
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it never came to be that {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
