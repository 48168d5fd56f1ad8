//! containerd, by `ctr`.

use std::fs;
use std::process::{Command, Stdio};

use super::image::NAME;
use super::{Daemon, Ground, find, say_version, with_terminal};
use crate::container::until;
use crate::runtime::{Outcome, binary, finish};

struct Containerd {
    daemon: Daemon,
    ground: Ground,
}

impl Containerd {
    fn new() -> Option<Self> {
        let ground = Ground::new(&["containerd", "ctr", "unshare", "script"])?;
        let config = format!(
            "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = \"{0}/socket\"\n[ttrpc]\naddress = \"{0}/ttrpc\"\n",
            ground.path().display()
        );
        fs::write(ground.file("config.toml"), config).expect("a file");
        let containerd = find("containerd").expect("it was there");
        let words = [containerd.to_str().expect("a name"), "-c", &ground.text("config.toml")];
        let there = |pid| finish(&mut command(pid, &ground, &["version"])).code == 0;
        let daemon = Daemon::start(&ground, &words, there);
        let containerd = Self { daemon, ground };
        say_version("containerd", &containerd.ctr(&["version"]));
        containerd.ctr(&["image", "import", &containerd.ground.text("image.tar")]).ok();
        Some(containerd)
    }

    fn command(&self, words: &[&str]) -> Command {
        command(self.daemon.child.id(), &self.ground, words)
    }

    fn ctr(&self, words: &[&str]) -> Outcome {
        finish(&mut self.command(words))
    }

    /// The words of `run` with the runtime under test.
    fn run_words(&self, options: &[&str], id: &str, words: &[&str]) -> Vec<String> {
        let runtime = binary();
        let runtime = runtime.to_str().expect("a name");
        let group = format!("/{}/{id}", self.ground.group);
        let root = self.ground.text("runtime");
        let first = ["run", "--runc-binary", runtime, "--runc-root", &root, "--cgroup", &group];
        [&first, options, &[NAME, id], words].concat().into_iter().map(str::to_owned).collect()
    }

    fn run(&self, options: &[&str], id: &str, words: &[&str]) -> Outcome {
        let words = self.run_words(options, id, words);
        self.ctr(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What `task ls` says of a container.
    fn status(&self, id: &str) -> String {
        let listed = self.ctr(&["task", "ls"]).ok();
        let line = listed.stdout.lines().find(|line| line.split_whitespace().next() == Some(id));
        let status = line.and_then(|line| line.split_whitespace().last());
        status.unwrap_or("none").to_owned()
    }
}

/// It makes pipes for a container's streams, which the shim must find.
fn command(daemon: u32, ground: &Ground, words: &[&str]) -> Command {
    let mut command = Daemon::beside(daemon, &find("ctr").expect("it was there"));
    command.arg("--address").arg(ground.file("socket")).args(words).stdin(Stdio::null());
    command
}

#[test]
fn containerd_runs_containers_with_the_runtime() {
    let Some(containerd) = Containerd::new() else { return };
    let outcome = containerd.run(&["--rm"], "one", &["sh", "-c", "echo out; exit 7"]);
    assert_eq!((outcome.code, outcome.text()), (7, "out"), "{outcome:?}");
    let options = ["--rm", "--env", "COLOUR=blue", "--cwd", "/tmp", "--read-only", "--seccomp"];
    let script = "echo $COLOUR; pwd; touch /new; grep Seccomp: /proc/self/status";
    let outcome = containerd.run(&options, "two", &["sh", "-c", script]);
    assert_eq!((outcome.code, outcome.text()), (0, "blue\n/tmp\nSeccomp:\t2"), "{outcome:?}");
    let options =
        ["--rm", "--memory-limit", "33554432", "--cpu-quota", "50000", "--cpu-period", "100000"];
    let script =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us";
    let mount =
        ["--mount", "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro:nosuid:nodev:noexec"];
    let outcome = containerd.run(&[&options[..], &mount].concat(), "three", &["sh", "-c", script]);
    assert_eq!((outcome.code, outcome.text()), (0, "33554432\n50000"), "{outcome:?}");
    let outcome = containerd.run(&["--rm"], "four", &["nosuch"]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.stderr.contains("executable file not found in $PATH"), "{outcome:?}");

    let words = containerd.run_words(&["--rm", "-t"], "five", &["sh", "-c", "tty; exit 3"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = with_terminal(&containerd.command(&words));
    let named = outcome.stdout.lines().any(|line| line == "/dev/pts/0");
    assert!(outcome.code == 3 && named, "{outcome:?}");
}

#[test]
fn containerd_watches_and_stops_containers_with_the_runtime() {
    let Some(containerd) = Containerd::new() else { return };
    containerd.run(&["-d"], "one", &["sh", "-c", "sleep 1000 & wait"]).ok();
    assert_eq!(containerd.status("one"), "RUNNING");
    let ps = containerd.ctr(&["task", "ps", "one"]).ok();
    until("it has two processes", || {
        containerd.ctr(&["task", "ps", "one"]).ok().stdout.lines().count() == 3
    });
    assert!(ps.stdout.starts_with("PID"), "{ps:?}");
    let metrics = containerd.ctr(&["task", "metrics", "one"]).ok();
    let value = |name: &str| {
        let mut lines = metrics.stdout.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned());
        value.unwrap_or_else(|| panic!("no {name} in {metrics:?}"))
    };
    assert_eq!(value("pids.current"), "2");
    assert!(value("memory.usage_in_bytes").parse::<u64>().expect("a number") > 0);

    let exec = ["task", "exec", "--exec-id", "more", "one", "sh", "-c", "echo in; exit 5"];
    let outcome = containerd.ctr(&exec);
    assert_eq!((outcome.code, outcome.text()), (5, "in"), "{outcome:?}");
    let exec = ["task", "exec", "-t", "--exec-id", "terminal", "one", "tty"];
    let outcome = with_terminal(&containerd.command(&exec));
    // ctr complains on the terminal when it is over before its size was set.
    let named = outcome.stdout.lines().any(|line| line == "/dev/pts/0");
    assert!(outcome.code == 0 && named, "{outcome:?}");

    containerd.ctr(&["task", "pause", "one"]).ok();
    assert_eq!(containerd.status("one"), "PAUSED");
    containerd.ctr(&["task", "resume", "one"]).ok();
    assert_eq!(containerd.status("one"), "RUNNING");
    containerd.ctr(&["task", "kill", "-s", "9", "one"]).ok();
    until("it is stopped", || containerd.status("one") == "STOPPED");
    containerd.ctr(&["task", "rm", "one"]).ok();
    containerd.ctr(&["container", "rm", "one"]).ok();
    assert_eq!(containerd.status("one"), "none");
    let group = format!("/sys/fs/cgroup/memory/{}/one", containerd.ground.group);
    assert!(!std::path::Path::new(&group).exists(), "{group}");
}
