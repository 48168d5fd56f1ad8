//! A Docker daemon of the benchmark's own: its files, sockets and mounts are nobody else's, it has no
//! network, and it ends with the value that stands for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use stockade_benches::{Failure, Scratch, tool};

use crate::OURS;

/// How long it may take to be there, and how long to be gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Daemon {
    docker: PathBuf,
    child: Child,
    files: PathBuf,
    /// The control group that all its containers are below.
    group: String,
}

impl Daemon {
    /// Starts it, with the runtime under the name by which tables call it.
    pub(crate) fn start(scratch: &Scratch, ours: &Path) -> Result<Self, Failure> {
        let (docker, dockerd) = (tool::find("docker")?, tool::find("dockerd")?);
        let unshare = tool::find("unshare")?;
        // It starts this one itself.
        tool::find("containerd")?;
        let files = scratch.directory("docker")?;
        let group = format!("stockade-benches-{}", std::process::id());
        let config = files.join("daemon.json");
        fs::write(&config, json!({"runtimes": {OURS: {"path": ours}}}).to_string())?;
        let log = File::create(files.join("log"))?;
        // Each program becomes the next, so that the pid is the daemon's. What it puts below /run is in
        // memory that goes with its mounts.
        let script = "mount -t tmpfs none /run && exec \"$@\"";
        let mut command = Command::new(unshare);
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
            .arg(dockerd);
        for (option, file) in [
            ("--config-file", "daemon.json"),
            ("--exec-root", "exec"),
            ("--data-root", "data"),
            ("--pidfile", "pid"),
        ] {
            command.arg(option).arg(files.join(file));
        }
        command.arg("--host").arg(host(&files)).args(["--group", "root"]);
        command.args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent"]);
        command.arg(format!("/{group}")).args([
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--userland-proxy=false",
        ]);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let mut daemon = Self { docker, child: command.spawn()?, files, group };
        daemon.wait()?;
        Ok(daemon)
    }

    fn wait(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            match tool::read(&mut self.docker(&["version"])) {
                Ok(_) => return Ok(()),
                Err(_) if begun.elapsed() < PATIENCE && self.child.try_wait()?.is_none() => {
                    thread::sleep(PAUSE);
                }
                Err(failure) => {
                    let log = fs::read_to_string(self.files.join("log")).unwrap_or_default();
                    let last = log.lines().last().unwrap_or_default();
                    return Err(format!("dockerd does not answer: {failure}\n{last}").into());
                }
            }
        }
    }

    /// A command to it. The caller's own configuration is not read.
    pub(crate) fn docker(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.docker);
        command.arg("--host").arg(host(&self.files)).args(words);
        command.env("DOCKER_CONFIG", &self.files).env("DOCKER_CLI_HINTS", "false");
        command
    }

    /// The processes that name its files in their arguments: containerd and shims do.
    fn processes(&self) -> Vec<Pid> {
        let place = self.files.to_string_lossy();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let found = entries.filter_map(|entry| {
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            let named = String::from_utf8_lossy(&words).contains(place.as_ref());
            let pid = entry.file_name().to_str()?.parse().ok().filter(|_| named)?;
            Pid::from_raw(pid)
        });
        found.collect()
    }
}

fn host(files: &Path) -> String {
    format!("unix://{}", files.join("socket").display())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error here means that it is gone.
        let _: rustix::io::Result<()> = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
        for pid in self.processes() {
            let _: rustix::io::Result<()> = kill_process(pid, Signal::KILL);
        }
        let groups = Path::new("/sys/fs/cgroup");
        remove_group(&groups.join(&self.group));
        for controller in fs::read_dir(groups).into_iter().flatten().flatten() {
            remove_group(&controller.path().join(&self.group));
        }
    }
}

/// Removes a control group in which nothing is left to run, with those below it.
fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _: std::io::Result<()> = fs::remove_dir(group);
}
