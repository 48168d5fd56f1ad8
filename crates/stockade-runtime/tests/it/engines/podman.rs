//! podman, which has no daemon: its commands start the runtime by conmon.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use super::image::NAME;
use super::{Ground, find, say_version, skip, with_terminal};
use crate::container::until;
use crate::runtime::{Outcome, binary, finish, is_root};

struct Podman {
    ground: Ground,
}

impl Podman {
    fn new() -> Option<Self> {
        Self::on(Ground::new(&["podman", "conmon", "script"])?, "overlay")
    }

    /// One of a user who is not root and has one id to give: podman makes the user root of a namespace, and
    /// calls the runtime there.
    fn of_user() -> Option<Self> {
        if is_root() {
            skip("this is about users who are not root");
            return None;
        }
        let ground = Ground::of_user(&["podman", "conmon", "script"])?;
        fs::create_dir(ground.file("user")).expect("a directory");
        Self::on(ground, "vfs")
    }

    fn on(ground: Ground, driver: &str) -> Option<Self> {
        // It would raise limits to what it finds in the kernel, which not every root may.
        let config = format!(
            "[containers]\nnetns = \"none\"\ncgroupns = \"host\"\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             tmp_dir = \"{0}/tmp\"\n[network]\nnetwork_config_dir = \"{0}/networks\"\n",
            ground.path().display()
        );
        fs::write(ground.file("containers.conf"), config).expect("a file");
        // It does not look for one of the host's.
        let config = format!(
            "[storage]\ndriver = \"{driver}\"\ngraphroot = \"{0}/root\"\nrunroot = \"{0}/run\"\n",
            ground.path().display()
        );
        fs::write(ground.file("storage.conf"), config).expect("a file");
        let podman = Self { ground };
        say_version("podman", &podman.call(&["--version"]));
        podman.call(&["load", "--quiet", "--input", &podman.ground.text("image.tar")]).ok();
        Some(podman)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(find("podman").expect("it was there"));
        command.arg("--root").arg(self.ground.file("root"));
        command.arg("--runroot").arg(self.ground.file("run"));
        command.arg("--tmpdir").arg(self.ground.file("tmp"));
        command.arg("--runtime").arg(binary()).args(words);
        command.env("CONTAINERS_CONF", self.ground.file("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.ground.file("storage.conf"));
        if !is_root() {
            command.env("XDG_RUNTIME_DIR", self.ground.file("user")).env("USER", "tester");
            command.env("HOME", self.ground.path());
        }
        command.env("XDG_CACHE_HOME", self.ground.path()).env("TMPDIR", self.ground.path());
        command
    }

    /// Its streams are files: conmon has them, too, and outlives the command.
    fn call(&self, words: &[&str]) -> Outcome {
        finish(self.command(words).stdin(Stdio::null()))
    }

    fn run_words<'a>(
        &self,
        group: &'a str,
        options: &[&'a str],
        words: &[&'a str],
    ) -> Vec<&'a str> {
        let first = ["run", "--pull", "never", "--network", "none", "--cgroup-parent", group];
        [&first, options, &[NAME], words].concat()
    }

    fn run(&self, options: &[&str], words: &[&str]) -> Outcome {
        let group = format!("/{}", self.ground.group);
        self.call(&self.run_words(&group, options, words))
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // All its containers, and the mounts that it has for them.
        let _ = self.call(&["rm", "--all", "--force", "--time", "0"]);
        let _ = self.call(&["pod", "rm", "--all", "--force"]);
        // Layers, whose modes would keep a user from removing them.
        let _ = self.call(&["rmi", "--all", "--force"]);
        // What holds a user's namespace between two commands.
        let pause = fs::read_to_string(self.ground.file("tmp/pause.pid")).unwrap_or_default();
        if let Some(pid) = pause.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        for controller in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            // Its own name for what pods are in.
            prune(&controller.path().join("libpod_parent"));
        }
    }
}

/// Removes a group and those in it, but for what another podman's containers are in.
fn prune(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prune(&entry.path());
        }
    }
    // One that is not empty stays.
    let _ = fs::remove_dir(group);
}

#[test]
fn podman_runs_containers_with_the_runtime() {
    let Some(podman) = Podman::new() else { return };
    let outcome = podman.run(&["--rm"], &["sh", "-c", "echo out; exit 7"]);
    assert_eq!((outcome.code, outcome.text()), (7, "out"), "{outcome:?}");
    assert_eq!(podman.run(&["--rm"], &["nosuch"]).code, 127);
    assert_eq!(podman.run(&["--rm"], &["/etc"]).code, 126);
    let group = format!("/{}", podman.ground.group);
    let words = podman.run_words(&group, &["--rm", "-t"], &["sh", "-c", "tty; exit 3"]);
    let outcome = with_terminal(&podman.command(&words));
    assert_eq!((outcome.code, outcome.text()), (3, "/dev/pts/0"), "{outcome:?}");

    let options = [
        "--rm",
        "--memory",
        "32m",
        "--pids-limit",
        "20",
        "-e",
        "COLOUR=blue",
        "-w",
        "/tmp",
        "-u",
        "12:34",
    ];
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max; echo $COLOUR; id -u; id -g; \
        grep Seccomp: /proc/self/status";
    let outcome = podman.run(&options, &["sh", "-c", script]).ok();
    assert_eq!(outcome.text(), "33554432\n20\nblue\n12\n34\nSeccomp:\t2");
    let options = ["--rm", "--read-only", "--cap-drop", "all", "--tmpfs", "/scratch"];
    let script = "touch /new; echo $?; touch /scratch/new; echo $?; grep CapEff /proc/self/status";
    let outcome = podman.run(&options, &["sh", "-c", script]).ok();
    assert_eq!(outcome.text(), "1\n0\nCapEff:\t0000000000000000");
}

#[test]
fn podman_watches_and_stops_containers_with_the_runtime() {
    let Some(podman) = Podman::new() else { return };
    podman.run(&["-d", "--name", "one"], &["sleep", "1000"]).ok();
    let outcome = podman.call(&["exec", "one", "sh", "-c", "echo in; exit 4"]);
    assert_eq!((outcome.code, outcome.text()), (4, "in"), "{outcome:?}");
    let outcome = with_terminal(&podman.command(&["exec", "-t", "one", "tty"]));
    assert_eq!((outcome.code, outcome.text()), (0, "/dev/pts/0"), "{outcome:?}");
    assert_eq!(podman.call(&["exec", "one", "nosuch"]).code, 127);
    let status =
        || podman.call(&["inspect", "--format", "{{.State.Status}}", "one"]).ok().text().to_owned();
    podman.call(&["pause", "one"]).ok();
    assert_eq!(status(), "paused");
    podman.call(&["unpause", "one"]).ok();
    assert_eq!(status(), "running");
    let top = podman.call(&["top", "one", "hpid", "args"]).ok();
    assert!(top.stdout.contains("sleep 1000"), "{top:?}");
    let stats =
        podman.call(&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "one"]).ok();
    assert_eq!(stats.text(), "one 1");
    podman.call(&["kill", "one"]).ok();
    assert_eq!(podman.call(&["wait", "one"]).ok().text(), "137");
    until("it is over", || status() == "exited");
    podman.call(&["start", "one"]).ok();
    podman.call(&["rm", "--force", "--time", "0", "one"]).ok();
    assert_ne!(podman.call(&["inspect", "one"]).code, 0);
    assert_eq!(podman.call(&["ps", "--all", "--quiet"]).ok().text(), "");
}

#[test]
fn podman_of_a_user_runs_containers_with_the_runtime() {
    let Some(podman) = Podman::of_user() else { return };
    let run = |options: &[&str], words: &[&str]| {
        let first = ["run", "--pull", "never", "--network", "none"];
        podman.call(&[&first, options, &[NAME], words].concat())
    };
    let script = "id -u; awk '{ print $1, $2, $3 }' /proc/self/uid_map; grep Seccomp: /proc/self/status; exit 7";
    let outcome = run(&["--rm"], &["sh", "-c", script]);
    let user = rustix::process::geteuid().as_raw();
    let said = format!("0\n0 {user} 1\nSeccomp:\t2");
    assert_eq!((outcome.code, outcome.text()), (7, said.as_str()), "{outcome:?}");
    assert_eq!(run(&["--rm"], &["nosuch"]).code, 127);
    let words = ["run", "--pull", "never", "--network", "none", "--rm", "-t", NAME, "tty"];
    let outcome = with_terminal(&podman.command(&words));
    assert!(outcome.code == 0 && outcome.stdout.contains("/dev/pts/0"), "{outcome:?}");

    run(
        &["-d", "--name", "one", "--volume", &format!("{}:/given", podman.ground.text("user"))],
        &["sleep", "1000"],
    )
    .ok();
    let outcome = podman.call(&["exec", "one", "sh", "-c", "touch /given/new; echo in; exit 4"]);
    assert_eq!((outcome.code, outcome.text()), (4, "in"), "{outcome:?}");
    assert!(podman.ground.file("user/new").exists());
    let status =
        || podman.call(&["inspect", "--format", "{{.State.Status}}", "one"]).ok().text().to_owned();
    assert_eq!(status(), "running");
    podman.call(&["kill", "one"]).ok();
    assert_eq!(podman.call(&["wait", "one"]).ok().text(), "137");
    until("it is over", || status() == "exited");
    podman.call(&["start", "one"]).ok();
    podman.call(&["rm", "--force", "--time", "0", "one"]).ok();
    assert_eq!(podman.call(&["ps", "--all", "--quiet"]).ok().text(), "");
}

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: pair
spec:
  containers:
  - name: one
    image: docker.io/stockade/test:latest
    imagePullPolicy: Never
    command: ["sh", "-c", "echo from one; exec sleep 1000"]
  - name: two
    image: docker.io/stockade/test:latest
    imagePullPolicy: Never
    command: ["sh", "-c", "echo from two; exec sleep 1000"]
"#;

#[test]
fn podman_plays_a_pod_of_two_containers_with_the_runtime() {
    let Some(podman) = Podman::new() else { return };
    // What a pod's own container runs; podman has no other.
    if !Path::new("/usr/libexec/podman/catatonit").is_file() {
        skip("there is no /usr/libexec/podman/catatonit, of which podman makes its pause image");
        return;
    }
    let file = podman.ground.file("pod.yaml");
    fs::write(&file, POD).expect("a file");
    let file = file.to_str().expect("a name");
    podman.call(&["play", "kube", "--network", "none", file]).ok();
    let running = podman.call(&["ps", "--format", "{{.Names}} {{.Status}}"]).ok();
    assert_eq!(
        running.stdout.lines().filter(|line| line.contains(" Up ")).count(),
        3,
        "{running:?}"
    );
    until("both have printed", || {
        let logs = |name: &str| podman.call(&["logs", name]).ok().text().to_owned();
        logs("pair-one") == "from one" && logs("pair-two") == "from two"
    });
    // They share what a pod shares.
    let names = |container: &str| {
        let script = "readlink /proc/self/ns/net /proc/self/ns/ipc /proc/self/ns/uts; hostname";
        podman.call(&["exec", container, "sh", "-c", script]).ok().text().to_owned()
    };
    assert_eq!(names("pair-one"), names("pair-two"));
    podman.call(&["play", "kube", "--down", file]).ok();
    assert_eq!(podman.call(&["ps", "--all", "--quiet"]).ok().text(), "");
    assert_eq!(podman.call(&["pod", "ps", "--quiet"]).ok().text(), "");
}
