//! Namespaces: made, joined, or left as they are.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use serde_json::json;

use crate::container::Container;
use crate::runtime::{cannot_run, cannot_run_as_root, is_not_ours, is_root};

const KINDS: [(&str, &str); 5] =
    [("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt")];

fn own(kind: &str) -> std::path::PathBuf {
    fs::read_link(format!("/proc/self/ns/{kind}")).expect("a link")
}

fn of(container: &Container, kind: &str) -> std::path::PathBuf {
    fs::read_link(container.proc(&format!("ns/{kind}"))).expect("a link")
}

#[test]
fn what_is_listed_is_new_and_what_is_not_is_the_hosts() {
    if cannot_run_as_root() {
        return;
    }
    let container = Container::sleeping();
    for (_, kind) in KINDS {
        assert_ne!(of(&container, kind), own(kind), "{kind}");
    }
    for (name, kind) in KINDS.into_iter().take(3) {
        let mut container = Container::sleeper();
        container.bundle.without_namespace(name);
        if name == "network" {
            // The devices of a network that is not its own are not for it to show.
            container.bundle.config["mounts"][5] = json!({"destination": "/sys", "type": "bind",
                "source": "/sys", "options": ["rbind", "ro"]});
        }
        container.started();
        assert_eq!(of(&container, kind), own(kind), "{kind}");
        // What has no namespace of processes is still ended to the last.
        container.on(&["delete", "--force"]).ok();
        container.wait();
        container.assert_gone();
    }
    let mut container = Container::sleeper();
    container.bundle.set("/linux/namespaces/-", json!({"type": "cgroup"}));
    container.started();
    assert_ne!(of(&container, "cgroup"), own("cgroup"));
    let groups = fs::read_to_string(container.proc("cgroup")).expect("groups");
    assert!(groups.contains(&format!(":/{}", container.id)), "{groups}");
}

#[test]
fn namespaces_of_another_container_are_joined_by_their_paths() {
    if cannot_run() {
        return;
    }
    let first = Container::sleeping();
    let path = |kind: &str| first.proc(&format!("ns/{kind}")).to_str().expect("a name").to_owned();
    let mut second = Container::script("ps; sleep 1000");
    for (name, kind) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")] {
        second.bundle.join_namespace(name, &path(kind));
    }
    if !is_root() {
        // Who owns the others.
        second.bundle.join_namespace("user", &path("user"));
        for name in ["uidMappings", "gidMappings"] {
            second.bundle.config["linux"].as_object_mut().expect("an object").remove(name);
        }
    }
    second.bundle.config.as_object_mut().expect("an object").remove("hostname");
    second.started();
    for kind in ["net", "ipc", "uts", "pid"] {
        assert_eq!(of(&second, kind), of(&first, kind), "{kind}");
    }
    assert_ne!(of(&second, "mnt"), of(&first, "mnt"));
    crate::container::until("it sees the other", || second.stdout().contains("sleep 1000"));
    second.call(&["kill", &second.id, "9"]).ok();
    assert_eq!(second.wait(), 137);
    second.on(&["delete"]).ok();
    second.assert_gone();
    assert_eq!(first.status(), "running");
}

#[test]
fn a_namespace_that_is_not_there_or_of_another_kind_is_refused() {
    if cannot_run() {
        return;
    }
    for path in ["/no/such/namespace", "/proc/self/ns/ipc", "/etc/passwd"] {
        let mut container = Container::sleeper();
        container.bundle.join_namespace("network", path);
        assert_ne!(container.create().code, 0, "{path}");
        container.assert_gone();
    }
}

/// Gives all of a tree to a user, as an engine does that maps users.
fn give(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).expect("it is given");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("a directory") {
            give(&entry.expect("an entry").path(), user);
        }
    }
}

/// A container whose root is an ordinary user of the host.
fn mapped(script: &str) -> Container {
    const BASE: u32 = 100_000;
    let mut container = Container::script(script);
    container.bundle.set("/linux/namespaces/-", json!({"type": "user"}));
    let mappings = json!([{"containerID": 0, "hostID": BASE, "size": 65_536}]);
    container.bundle.set("/linux/uidMappings", mappings.clone());
    container.bundle.set("/linux/gidMappings", mappings);
    give(&container.bundle.root(""), BASE);
    container
}

#[test]
fn users_are_mapped_as_the_configuration_says() {
    if cannot_run_as_root() {
        return;
    }
    let mut container = mapped(
        "id -u; touch /made; awk '{print $1, $2, $3}' /proc/self/uid_map \
        /proc/self/gid_map; stat -c %u /bin; hostname",
    );
    assert_eq!(container.says(), "0\n0 100000 65536\n0 100000 65536\n0\ncontained");
    let made = fs::metadata(container.bundle.root("made")).expect("it was made");
    assert_eq!((made.uid(), made.gid()), (100_000, 100_000));
    assert_eq!(container.state()["status"], "stopped");
    container.on(&["delete"]).ok();
    container.assert_gone();
}

#[test]
fn exec_enters_the_user_namespace_too() {
    if cannot_run_as_root() {
        return;
    }
    let mut container = mapped("sleep 1000");
    container.started();
    let mut command = container.runtime();
    command.args(["exec", "--user", "7:8", &container.id, "sh", "-c", "id -u; touch /tmp/made"]);
    let outcome = container.run_with_files(&mut command).ok();
    assert_eq!(outcome.text(), "7");
    let made = fs::metadata(container.bundle.root("tmp/made")).expect("it was made");
    assert_eq!((made.uid(), made.gid()), (100_007, 100_008));
}

#[test]
fn the_host_name_and_settings_of_the_kernel_are_those_of_the_configuration() {
    if cannot_run() {
        return;
    }
    let script = "hostname; cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni";
    let settings = json!({"net.core.somaxconn": "777", "kernel.shmmni": "55"});
    let mut container = Container::script(script).set("/linux/sysctl", settings);
    assert_eq!(container.says(), "contained\n777\n55");
    for name in ["vm.swappiness", "kernel.core_pattern", "net/../kernel.core_pattern"] {
        let mut container = Container::sleeper().set("/linux/sysctl", json!({name: "1"}));
        assert_ne!(container.create().code, 0, "{name} is the host's");
        container.assert_gone();
    }
}

/// Seconds since the boot, as /proc/uptime has them.
fn uptime(text: &str) -> f64 {
    text.split(' ').next().and_then(|seconds| seconds.parse().ok()).expect("a number")
}

#[test]
fn clocks_are_as_far_from_the_hosts_as_the_configuration_says() {
    if cannot_run_as_root() || is_not_ours() {
        return;
    }
    let here = || uptime(&fs::read_to_string("/proc/uptime").expect("a clock"));
    let offset = 1e9;
    let is_shifted = |text: &str| (uptime(text) - here() - offset).abs() < 60.0;
    let first = Container::sleeping();
    let pid = first.proc("ns/pid").to_str().expect("a name").to_owned();
    for way in ["alone", "joining another", "with users"] {
        let mut container = match way {
            "with users" => mapped("cat /proc/uptime; sleep 1000"),
            _ => Container::script("cat /proc/uptime; sleep 1000"),
        };
        if way == "joining another" {
            container.bundle.join_namespace("pid", &pid);
        }
        container.bundle.set("/linux/namespaces/-", json!({"type": "time"}));
        let offsets = json!({"boottime": {"secs": 1_000_000_000, "nanosecs": 5}, "monotonic": {}});
        container.bundle.set("/linux/timeOffsets", offsets);
        // The host's own hooks have the host's clocks.
        let hooked = container.file("hooked");
        let script = format!("cat /proc/uptime > {}", hooked.display());
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        container.bundle.set("/hooks", json!({"createRuntime": hook}));
        container.started();
        crate::container::until("it has told the time", || container.stdout().contains('\n'));
        assert!(is_shifted(&container.stdout()), "{way}: {}", container.stdout());
        let hooked = fs::read_to_string(hooked).expect("the hook ran");
        assert!((uptime(&hooked) - here()).abs() < 60.0, "{way}: {hooked}");
        let mut command = container.runtime();
        command.args(["exec", &container.id, "cat", "/proc/uptime"]);
        let outcome = container.run_with_files(&mut command).ok();
        assert!(is_shifted(outcome.text()), "{way}: {outcome:?}");
    }
}

#[test]
fn clocks_that_cannot_be_set_are_refused() {
    if cannot_run_as_root() || is_not_ours() {
        return;
    }
    for (offsets, namespace, words) in [
        (json!({"boottime": {"secs": 1}}), None, "without a new `time` namespace"),
        (
            json!({"boottime": {"secs": 1}}),
            Some("/proc/self/ns/time"),
            "without a new `time` namespace",
        ),
        (json!({"realtime": {"secs": 1}}), Some(""), "no clock `realtime`"),
        (json!({"monotonic": {"nanosecs": 1_000_000_000}}), Some(""), "a second or more"),
        // Before the boot.
        (
            json!({"monotonic": {"secs": -1_000_000_000_000_i64}}),
            Some(""),
            "setting clocks: monotonic",
        ),
    ] {
        let mut container = Container::sleeper().set("/linux/timeOffsets", offsets);
        if let Some(path) = namespace {
            container.bundle.set("/linux/namespaces/-", json!({"type": "time", "path": path}));
        }
        assert_ne!(container.create().code, 0, "{words}");
        assert!(container.error().contains(words), "{words}: {}", container.error());
        container.assert_gone();
    }
}
