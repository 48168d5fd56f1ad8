//! Docker: its daemon, and the containerd that it starts itself.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Daemon, Ground, find, say_version, with_terminal};
use crate::container::until;
use crate::runtime::{Outcome, binary, finish};

/// What the image is called here.
pub(crate) const IMAGE: &str = "stockade/test";

pub(crate) struct Docker {
    _daemon: Daemon,
    pub(crate) ground: Ground,
}

impl Docker {
    /// A daemon that knows the runtime as `stockade`, and as `walled` with all of its walls.
    pub(crate) fn new() -> Option<Self> {
        let ground = Ground::new(&["dockerd", "docker", "containerd", "unshare", "script"])?;
        let walls: &[&str] =
            if crate::runtime::is_stockade() { &["--walls", "full"] } else { &["--debug"] };
        let config = json!({"runtimes": {
            "stockade": {"path": binary()},
            "walled": {"path": binary(), "runtimeArgs": walls},
        }});
        fs::write(ground.file("daemon.json"), config.to_string()).expect("a file");
        let dockerd = find("dockerd").expect("it was there");
        let host = format!("unix://{}", ground.text("socket"));
        let (config, exec, data, pid) = (
            ground.text("daemon.json"),
            ground.text("exec"),
            ground.text("data"),
            ground.text("pid"),
        );
        let group = format!("/{}", ground.group);
        let words = [
            dockerd.to_str().expect("a name"),
            "--config-file",
            &config,
            "--exec-root",
            &exec,
            "--data-root",
            &data,
            "--pidfile",
            &pid,
            "--host",
            &host,
            "--group",
            "root",
            "--cgroup-parent",
            &group,
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--userland-proxy=false",
        ];
        let docker = |words: &[&str]| finish(command(&ground, words).stdin(Stdio::null()));
        let daemon = Daemon::start(&ground, &words, |_| docker(&["version"]).code == 0);
        let format = "{{.Server.Version}} (API {{.Server.APIVersion}}), client {{.Client.Version}}";
        say_version("Docker", &docker(&["version", "--format", format]));
        docker(&["load", "--input", &ground.text("image.tar")]).ok();
        Some(Self { _daemon: daemon, ground })
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        command(&self.ground, words)
    }

    pub(crate) fn call(&self, words: &[&str]) -> Outcome {
        finish(self.command(words).stdin(Stdio::null()))
    }

    /// The words of `run` with the runtime under test.
    fn run_words<'a>(options: &[&'a str], words: &[&'a str]) -> Vec<&'a str> {
        let first = ["run", "--runtime", "stockade", "--network", "none"];
        [&first, options, &[IMAGE], words].concat()
    }

    /// Runs a container that is removed when it is over.
    fn run(&self, options: &[&str], words: &[&str]) -> Outcome {
        let options = [&["--rm"], options].concat();
        self.call(&Self::run_words(&options, words))
    }

    /// What a script prints, which must end well.
    #[track_caller]
    fn says(&self, options: &[&str], script: &str) -> String {
        self.run(options, &["sh", "-c", script]).ok().text().to_owned()
    }

    /// Starts a container in the background.
    fn start(&self, name: &str, options: &[&str], script: &str) {
        let options = [&["--detach", "--name", name], options].concat();
        self.call(&Self::run_words(&options, &["sh", "-c", script])).ok();
    }

    /// What `inspect` says of its state.
    fn state(&self, name: &str) -> Value {
        let outcome = self.call(&["inspect", "--format", "{{json .State}}", name]).ok();
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }
}

fn command(ground: &Ground, words: &[&str]) -> Command {
    let mut command = Command::new(find("docker").expect("it was there"));
    command.arg("--host").arg(format!("unix://{}", ground.text("socket"))).args(words);
    // The caller's own configuration is not read.
    command.env("DOCKER_CONFIG", ground.path()).env("DOCKER_CLI_HINTS", "false");
    command
}

#[test]
fn docker_runs_programs_with_the_runtime() {
    let Some(docker) = Docker::new() else { return };
    let outcome = docker.run(&[], &["sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((outcome.code, outcome.text(), outcome.stderr.as_str()), (7, "out", "err\n"));
    let outcome = docker.run(&[], &["nosuch"]);
    assert_eq!(outcome.code, 127, "{outcome:?}");
    for program in ["/etc", "/etc/passwd"] {
        let outcome = docker.run(&[], &[program]);
        assert_eq!(outcome.code, 126, "{outcome:?}");
    }
    let words = Docker::run_words(&["--rm", "-t"], &["sh", "-c", "tty; exit 3"]);
    let outcome = with_terminal(&docker.command(&words));
    assert_eq!((outcome.code, outcome.text()), (3, "/dev/pts/0"), "{outcome:?}");

    let words = Docker::run_words(&["--rm", "-i"], &["tr", "a-z", "A-Z"]);
    let mut run = docker.command(&words);
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"given\n").expect("it reads");
    assert_eq!(Outcome::from(child.wait_with_output().expect("it ends")).ok().text(), "GIVEN");

    let options = ["-e", "COLOUR=blue", "-w", "/tmp", "-u", "12:34", "-h", "named"];
    let script = "echo $COLOUR; pwd; id -u; id -g; hostname";
    assert_eq!(docker.says(&options, script), "blue\n/tmp\n12\n34\nnamed");
    assert_eq!(
        docker.says(&["--init"], "cat /proc/1/comm; echo $$ | grep -v '^1$' | wc -l"),
        "docker-init\n1"
    );
}

#[test]
fn docker_restricts_programs_with_the_runtime() {
    let Some(docker) = Docker::new() else { return };
    let options = ["--memory", "32m", "--cpus", "0.5", "--pids-limit", "20"];
    let script =
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us pids/pids.max";
    assert_eq!(docker.says(&options, script), "33554432\n50000\n20");
    let options = ["--read-only", "--tmpfs", "/scratch:size=1m"];
    let script = "touch /new; echo $?; touch /scratch/new; echo $?; df -k /scratch | tail -n 1 | awk '{print $2}'";
    assert_eq!(docker.says(&options, script), "1\n0\n1024");

    let shared = docker.ground.file("shared");
    fs::create_dir(&shared).expect("a directory");
    let bind = |mode: &str| format!("{}:/in:{mode}", shared.display());
    assert_eq!(docker.says(&["-v", &bind("rw")], "echo content > /in/file; echo $?"), "0");
    assert_eq!(
        docker.says(&["-v", &bind("ro")], "cat /in/file; rm /in/file; echo $?"),
        "content\n1"
    );

    let options = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";
    let none = "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2";
    assert_eq!(docker.says(&options, script), none);
    let script = "grep ^CapEff: /proc/self/status";
    assert_eq!(docker.says(&[], script), "CapEff:\t00000000a80425fb", "Docker's own set");
    assert_eq!(docker.says(&["--ulimit", "nofile=100:200"], "ulimit -n; ulimit -H -n"), "100\n200");
    assert_eq!(
        docker.says(&["--sysctl", "net.core.somaxconn=77"], "cat /proc/sys/net/core/somaxconn"),
        "77"
    );
    let script = "head -c 2 /dev/own | wc -c; head -c 1 /dev/kmsg 2>/dev/null; echo $?";
    assert_eq!(docker.says(&["--device", "/dev/zero:/dev/own"], script), "2\n1");
    let options = ["--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"];
    assert_eq!(docker.says(&options, "mount -t tmpfs none /tmp; echo $?"), "0", "who may, mounts");
    let outcome = docker.run(&["--memory", "16m"], &["tail", "/dev/zero"]);
    assert_eq!(outcome.code, 137, "{outcome:?}");
}

#[test]
fn docker_runs_more_in_a_container_and_watches_it() {
    let Some(docker) = Docker::new() else { return };
    let script = "trap 'exit 9' TERM; while :; do sleep 0.1; done";
    docker.start("one", &["--memory", "32m"], script);
    let outcome = docker.call(&["exec", "one", "sh", "-c", "echo in; exit 4"]);
    assert_eq!((outcome.code, outcome.text()), (4, "in"), "{outcome:?}");
    let outcome = docker.call(&[
        "exec",
        "-u",
        "7",
        "-e",
        "A=b",
        "-w",
        "/tmp",
        "one",
        "sh",
        "-c",
        "id -u; echo $A; pwd",
    ]);
    assert_eq!(outcome.ok().text(), "7\nb\n/tmp");
    // Which of the two, this Docker does not tell apart here.
    for program in ["nosuch", "/etc"] {
        assert!(matches!(docker.call(&["exec", "one", program]).code, 126 | 127), "{program}");
    }
    let outcome = with_terminal(&docker.command(&["exec", "-t", "one", "tty"]));
    assert_eq!((outcome.code, outcome.text()), (0, "/dev/pts/0"), "{outcome:?}");

    let format = "{{.Name}} {{.MemUsage}} {{.PIDs}}";
    let stats = docker.call(&["stats", "--no-stream", "--format", format, "one"]).ok();
    assert!(stats.stdout.starts_with("one ") && stats.stdout.contains("/ 32MiB"), "{stats:?}");
    docker.call(&["update", "--memory", "64m", "--memory-swap", "128m", "one"]).ok();
    let limit = ["exec", "one", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    assert_eq!(docker.call(&limit).ok().text(), "67108864");
    let top = docker.call(&["top", "one"]).ok();
    assert!(top.stdout.contains("trap 'exit 9' TERM"), "{top:?}");

    docker.call(&["pause", "one"]).ok();
    assert_eq!(docker.state("one")["Status"], "paused");
    docker.call(&["unpause", "one"]).ok();
    assert_eq!(docker.state("one")["Status"], "running");
    let begun = Instant::now();
    docker.call(&["stop", "one"]).ok();
    assert!(begun.elapsed() < Duration::from_secs(8), "SIGTERM reaches it, it is not killed");
    assert_eq!(docker.state("one")["ExitCode"], 9);
    docker.call(&["start", "one"]).ok();
    docker.call(&["kill", "one"]).ok();
    assert_eq!(docker.call(&["wait", "one"]).ok().text(), "137");
    docker.call(&["rm", "one"]).ok();
}

#[test]
fn docker_starts_again_what_fails_and_removes_what_runs() {
    let Some(docker) = Docker::new() else { return };
    docker.start("failing", &["--restart", "on-failure:2"], "echo begun; exit 1");
    until("it was started three times", || {
        let state = docker.state("failing");
        let over = state["Status"] == "exited";
        let count = docker.call(&["inspect", "--format", "{{.RestartCount}}", "failing"]).ok();
        over && count.text() == "2"
    });
    assert_eq!(docker.call(&["logs", "failing"]).ok().text(), "begun\nbegun\nbegun");
    docker.call(&["rm", "failing"]).ok();

    docker.start("waited", &[], "sleep 0.2; exit 5");
    assert_eq!(docker.call(&["wait", "waited"]).ok().text(), "5");
    docker.start("running", &[], "exec sleep 1000");
    docker.call(&["rm", "--force", "running"]).ok();
    docker.start("greedy", &["--memory", "16m"], "tail /dev/zero");
    assert_eq!(docker.call(&["wait", "greedy"]).ok().text(), "137");
    assert_eq!(docker.state("greedy")["OOMKilled"], true);
    // Another's network and processes are shared when it is asked.
    docker.start("first", &[], "exec sleep 1000");
    let words = [
        "run",
        "--rm",
        "--runtime",
        "stockade",
        "--network",
        "container:first",
        "--pid",
        "container:first",
    ];
    let outcome = docker.call(&[&words[..], &[IMAGE, "ps"]].concat()).ok();
    assert!(outcome.stdout.contains("sleep 1000"), "{outcome:?}");

    docker.call(&["rm", "--force", "waited", "greedy", "first"]).ok();
    let listed = docker.call(&["ps", "--all", "--quiet"]).ok();
    assert_eq!(listed.text(), "");
    let group = format!("/sys/fs/cgroup/memory/{}", docker.ground.group);
    let inside = fs::read_dir(&group).into_iter().flatten().flatten();
    let left: Vec<_> = inside.filter(|entry| entry.path().is_dir()).collect();
    assert!(left.is_empty(), "{left:?}");
}
