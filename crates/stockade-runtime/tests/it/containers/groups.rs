//! Control groups: limits, what they count, and what they end.

use std::fs;

use serde_json::{Value, json};

use crate::container::{Container, until};
use crate::runtime::{cannot_run, finish};

#[test]
fn limits_are_what_the_kernel_says_they_are() {
    if cannot_run() {
        return;
    }
    let resources = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 64 << 20, "reservation": 32 << 20},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 33},
        "blockIO": {"weight": 100},
    });
    let mut container = Container::sleeper().set("/linux/resources", resources);
    container.create().ok();
    for (controller, file, value) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("cpuset", "cpuset.mems", "0"),
        ("pids", "pids.max", "33"),
    ] {
        assert_eq!(container.group_says(controller, file), value, "{file}");
    }
    let pid = container.pid().as_raw_nonzero().to_string();
    for controller in ["memory", "cpu", "cpuacct", "cpuset", "pids", "freezer", "blkio", "devices"]
    {
        assert_eq!(container.group_says(controller, "cgroup.procs"), pid, "{controller}");
    }
    container.on(&["delete", "--force"]).ok();
    container.wait();
    container.assert_gone();
}

#[test]
fn update_changes_limits_of_a_running_container() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeping();
    let document = json!({"memory": {"limit": 48 << 20}, "cpu": {"quota": 20_000, "period": 50_000,
        "shares": 256}, "pids": {"limit": 44}});
    fs::write(container.file("resources.json"), document.to_string()).expect("a file");
    let input = fs::File::open(container.file("resources.json")).expect("a file");
    let mut command = container.runtime();
    finish(command.args(["update", "--resources", "-"]).arg(&container.id).stdin(input)).ok();
    let limits = || {
        [
            container.group_says("memory", "memory.limit_in_bytes"),
            container.group_says("cpu", "cpu.cfs_quota_us"),
            container.group_says("cpu", "cpu.shares"),
            container.group_says("pids", "pids.max"),
        ]
    };
    assert_eq!(limits(), ["50331648", "20000", "256", "44"]);
    container.on(&["update", "--memory", "33554432", "--pids-limit", "55"]).ok();
    assert_eq!(limits(), ["33554432", "20000", "256", "55"]);
    fs::write(container.file("resources.json"), "{}").expect("a file");
    let file = container.file("resources.json");
    container.on(&["update", "--resources", file.to_str().expect("a name")]).ok();
    assert_eq!(limits(), ["33554432", "20000", "256", "55"]);
    // Devices are as they were.
    assert!(!container.group_says("devices", "devices.list").contains("a *:* rwm"));
}

#[test]
fn events_tell_what_a_container_uses() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeping();
    container.on(&["update", "--pids-limit", "20", "--memory", "67108864"]).ok();
    let outcome = container.on(&["events", "--stats"]).ok();
    let event: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(container.id)));
    let data = &event["data"];
    assert_eq!(data["pids"]["current"], 1, "{data:#}");
    assert_eq!(data["pids"]["limit"], 20, "{data:#}");
    assert_eq!(data["memory"]["usage"]["limit"], 67_108_864, "{data:#}");
    assert!(data["memory"]["usage"]["usage"].as_u64() > Some(0), "{data:#}");
    assert!(data["cpu"]["usage"]["total"].as_u64() > Some(0), "{data:#}");
}

#[test]
fn too_much_memory_ends_the_program() {
    if cannot_run() {
        return;
    }
    let limit = json!({"limit": 16 << 20, "swap": 16 << 20});
    let mut container =
        Container::new(&["tail", "/dev/zero"]).set("/linux/resources/memory", limit);
    assert_eq!(container.run().0, 137);
    let control = container.group_says("memory", "memory.oom_control");
    assert!(control.lines().any(|line| line == "oom_kill 1"), "{control}");
}

#[test]
fn too_many_processes_are_refused() {
    if cannot_run() {
        return;
    }
    let script = "(for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done); sleep 1000; true";
    let mut container = Container::script(script).set("/linux/resources/pids", json!({"limit": 5}));
    container.started();
    until("no more are made", || {
        let current = container.group_says("pids", "pids.current");
        container.stderr().contains("can't fork") && current == "5"
    });
}

#[test]
fn devices_are_those_of_the_configuration() {
    if cannot_run() {
        return;
    }
    let script = "head -c 4 /dev/own | wc -c; stat -c '%a %u %g %t:%T' /dev/own; \
        head -c 1 /dev/refused; echo $?; ls -l /dev/null /dev/zero /dev/full /dev/random /dev/urandom \
        /dev/tty /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx | wc -l; echo > /dev/null";
    let own = json!({"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644,
        "uid": 3, "gid": 4});
    let refused = json!({"path": "/dev/refused", "type": "c", "major": 1, "minor": 11});
    let rules = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 5, "access": "r"},
    ]);
    let mut container = Container::script(script)
        .set("/linux/devices", json!([own, refused]))
        .set("/linux/resources/devices", rules);
    assert_eq!(container.says(), "4\n644 3 4 1:5\n1\n11");
    assert!(container.stderr().contains("Operation not permitted"), "{}", container.stderr());
}

#[test]
fn kill_all_reaches_what_has_left_the_first_processs_session() {
    if cannot_run() {
        return;
    }
    // In the host's namespace of processes nothing else would end it.
    let mut container = Container::script("setsid sleep 1000 & echo; sleep 1000");
    container.bundle.without_namespace("pid");
    container.started();
    until("it has begun", || !container.stdout().is_empty());
    container.call(&["kill", "--all", &container.id, "KILL"]).ok();
    assert_eq!(container.wait(), 137);
    until("nothing is alive", || container.group_says("pids", "cgroup.procs").is_empty());
    container.on(&["delete"]).ok();
    container.assert_gone();
}

#[test]
fn groups_that_the_container_made_below_its_own_are_removed_too() {
    if cannot_run() {
        return;
    }
    let mut container = Container::script("sleep 1000 & echo; wait");
    container.started();
    for controller in ["memory", "pids"] {
        fs::create_dir_all(container.group(controller, "inner/most")).expect("a group");
    }
    until("it has two processes", || {
        container.group_says("pids", "cgroup.procs").lines().count() == 2
    });
    let first = container.pid().as_raw_nonzero().to_string();
    let procs = container.group_says("pids", "cgroup.procs");
    let other = procs.lines().find(|pid| *pid != first).expect("a second process").to_owned();
    fs::write(container.group("pids", "inner/most/cgroup.procs"), other).expect("it is moved");
    container.on(&["delete", "--force"]).ok();
    container.wait();
    container.assert_gone();
}

#[test]
fn a_mount_of_control_groups_shows_the_containers_own_and_no_more() {
    if cannot_run() {
        return;
    }
    let script = "cat /sys/fs/cgroup/pids/pids.max; wc -l < /sys/fs/cgroup/pids/cgroup.procs; \
        mkdir /sys/fs/cgroup/pids/new";
    let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]});
    let mut container = Container::script(script)
        .set("/mounts/-", mount)
        .set("/linux/resources/pids", json!({"limit": 21}));
    let (status, said) = container.run();
    assert_eq!((status, said.as_str()), (1, "21\n2\n"), "{}", container.stderr());
    assert!(container.stderr().contains("Read-only file system"), "{}", container.stderr());
}
