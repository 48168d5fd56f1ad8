//! Control groups: limits, what they count, and what they end.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::container::{Container, until};
use crate::runtime::{
    CGROUPS, Outcome, cannot_run, cannot_run_as_root, finish, is_root, is_unified, skip,
};

/// What files of a container's groups say, of those of the version that is here.
fn say(container: &Container, v1: &[(&str, &str)], v2: &[&str]) -> Vec<String> {
    if is_unified() {
        return v2.iter().map(|file| container.group_says("", file)).collect();
    }
    v1.iter().map(|(controller, file)| container.group_says(controller, file)).collect()
}

/// Runs something in a container in the foreground.
fn exec(container: &Container, script: &str) -> Outcome {
    let mut command = container.runtime();
    command.args(["exec", &container.id, "sh", "-c", script]);
    container.run_with_files(&mut command)
}

#[test]
fn limits_are_what_the_kernel_says_they_are() {
    if cannot_run_as_root() {
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
    let v1 = [
        (("memory", "memory.limit_in_bytes"), "67108864"),
        (("memory", "memory.soft_limit_in_bytes"), "33554432"),
        (("cpu", "cpu.shares"), "512"),
        (("cpu", "cpu.cfs_quota_us"), "50000"),
        (("cpu", "cpu.cfs_period_us"), "100000"),
        (("cpuset", "cpuset.cpus"), "0"),
        (("cpuset", "cpuset.mems"), "0"),
        (("pids", "pids.max"), "33"),
    ];
    let v2 = [
        ("memory.max", "67108864"),
        ("memory.low", "33554432"),
        ("cpu.weight", "59"),
        ("cpu.max", "50000 100000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("pids.max", "33"),
    ];
    let said = say(&container, &v1.map(|(file, _)| file), &v2.map(|(file, _)| file));
    let all = v1.map(|(_, value)| value);
    let expected = if is_unified() { &v2.map(|(_, value)| value)[..] } else { &all[..] };
    assert_eq!(said, expected);
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
    if cannot_run_as_root() {
        return;
    }
    let refused = json!({"path": "/dev/refused", "type": "c", "major": 5, "minor": 1});
    let mut container = Container::sleeper().set("/linux/devices", json!([refused]));
    container.started();
    let document = json!({"memory": {"limit": 48 << 20}, "cpu": {"quota": 20_000, "period": 50_000,
        "shares": 256}, "pids": {"limit": 44}});
    fs::write(container.file("resources.json"), document.to_string()).expect("a file");
    let input = fs::File::open(container.file("resources.json")).expect("a file");
    let mut command = container.runtime();
    finish(command.args(["update", "--resources", "-"]).arg(&container.id).stdin(input)).ok();
    let v1 = [
        ("memory", "memory.limit_in_bytes"),
        ("cpu", "cpu.cfs_quota_us"),
        ("cpu", "cpu.shares"),
        ("pids", "pids.max"),
    ];
    let limits = || say(&container, &v1, &["memory.max", "cpu.max", "cpu.weight", "pids.max"]);
    let cpu = if is_unified() { ["20000 50000", "35"] } else { ["20000", "256"] };
    assert_eq!(limits(), ["50331648", cpu[0], cpu[1], "44"]);
    container.on(&["update", "--memory", "33554432", "--pids-limit", "55"]).ok();
    assert_eq!(limits(), ["33554432", cpu[0], cpu[1], "55"]);
    fs::write(container.file("resources.json"), "{}").expect("a file");
    let file = container.file("resources.json");
    container.on(&["update", "--resources", file.to_str().expect("a name")]).ok();
    assert_eq!(limits(), ["33554432", cpu[0], cpu[1], "55"]);
    // Devices are as they were.
    let outcome = exec(&container, "true < /dev/refused");
    assert!(outcome.code != 0 && outcome.stderr.contains("not permitted"), "{outcome:?}");
}

#[test]
fn events_tell_what_a_container_uses() {
    if cannot_run_as_root() {
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
    if cannot_run_as_root() {
        return;
    }
    let limit = json!({"limit": 16 << 20, "swap": 16 << 20});
    let mut container =
        Container::new(&["tail", "/dev/zero"]).set("/linux/resources/memory", limit);
    assert_eq!(container.run().0, 137);
    let file = if is_unified() { "memory.events" } else { "memory.oom_control" };
    let control = container.group_says("memory", file);
    assert!(control.lines().any(|line| line == "oom_kill 1"), "{control}");
}

#[test]
fn too_many_processes_are_refused() {
    if cannot_run_as_root() {
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
    if cannot_run_as_root() {
        return;
    }
    let script = "head -c 4 /dev/own | wc -c; stat -c '%a %u %g %t:%T' /dev/own; \
        true < /dev/refused; echo $?; ls -l /dev/null /dev/zero /dev/full /dev/random /dev/urandom \
        /dev/tty /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx | wc -l; echo > /dev/null";
    let own = json!({"path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644,
        "uid": 3, "gid": 4});
    let refused = json!({"path": "/dev/refused", "type": "c", "major": 5, "minor": 1});
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
    if cannot_run_as_root() {
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
    if cannot_run_as_root() {
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
    if cannot_run_as_root() {
        return;
    }
    let dir = if is_unified() { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/pids" };
    let script = format!("cd {dir}; cat pids.max; wc -l < cgroup.procs; mkdir new");
    let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]});
    let mut container = Container::script(&script)
        .set("/mounts/-", mount)
        .set("/linux/resources/pids", json!({"limit": 21}));
    let (status, said) = container.run();
    assert_eq!((status, said.as_str()), (1, "21\n2\n"), "{}", container.stderr());
    assert!(container.stderr().contains("Read-only file system"), "{}", container.stderr());
}

#[test]
fn in_a_namespace_of_its_own_the_containers_group_is_the_root() {
    if cannot_run_as_root() {
        return;
    }
    let dir = if is_unified() { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/pids" };
    let script =
        format!("cut -d : -f 3 /proc/self/cgroup | sort -u; cat {dir}/pids.max; ls -d {dir}/*/");
    let mount = json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "ro"]});
    let mut container = Container::script(&script)
        .set("/mounts/-", mount)
        .set("/linux/namespaces/-", json!({"type": "cgroup"}))
        .set("/linux/resources/pids", json!({"limit": 22}));
    // There is no group below it, which is what `ls` complains of.
    assert_eq!(container.run(), (1, "/\n22\n".to_owned()), "{}", container.stderr());
}

#[test]
fn whoever_listens_hears_that_memory_ran_out() {
    if cannot_run_as_root() {
        return;
    }
    let limit = json!({"limit": 16 << 20, "swap": 16 << 20});
    let mut container =
        Container::new(&["tail", "/dev/zero"]).set("/linux/resources/memory", limit);
    container.create().ok();
    let mut command = container.runtime();
    let output = fs::File::create(container.file("heard")).expect("a file");
    command.args(["events", "--interval", "10ms", &container.id]).stdout(output);
    let mut listener = command.spawn().expect("the runtime starts");
    let heard = container.file("heard");
    let kinds = || fs::read_to_string(&heard).unwrap_or_default();
    until("it listens", || kinds().contains(r#""type":"stats""#));
    container.on(&["start"]).ok();
    assert_eq!(container.wait(), 137);
    until("it hears", || kinds().contains(r#""type":"oom""#));
    // Others listen until the group is gone.
    container.on(&["delete"]).ok();
    until("it ends", || listener.try_wait().expect("its state").is_some());
}

/// Where groups beside the own one go, if they are for a user who is not root to make.
fn delegated() -> Option<String> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let (above, _) = own.trim_end().strip_prefix("0::/")?.rsplit_once('/')?;
    let procs = Path::new(CGROUPS).join(above).join("cgroup.procs");
    fs::File::options().write(true).open(procs).ok()?;
    Some(above.to_owned())
}

#[test]
fn a_user_to_whom_groups_are_delegated_has_limits_and_pauses() {
    if cannot_run() {
        return;
    }
    let above = match delegated() {
        Some(above) if !is_root() && is_unified() => above,
        _ => {
            skip("this is for a user who is not root, to whom a group of version 2 is delegated");
            return;
        }
    };
    let resources = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 64 << 20}, "cpu": {"quota": 50_000}, "pids": {"limit": 20},
    });
    let script = "sleep 1000 & while :; do echo; sleep 0.01; done";
    let mut container = Container::script(script).set("/linux/resources", resources);
    container.group = format!("{above}/{}", container.id);
    container.started();
    let limits =
        |container: &Container| say(container, &[], &["memory.max", "cpu.max", "pids.max"]);
    assert_eq!(limits(&container), ["67108864", "50000 100000", "20"]);
    container.on(&["update", "--pids-limit", "21"]).ok();
    assert_eq!(limits(&container)[2], "21");
    until("it runs", || !container.stdout().is_empty());
    let pids = container.on(&["ps", "--format", "json"]).ok();
    assert!(pids.stdout.matches(',').count() >= 1, "{pids:?}");
    container.on(&["pause"]).ok();
    assert_eq!(container.status(), "paused");
    container.on(&["resume"]).ok();
    assert_eq!(container.status(), "running");
    exec(&container, "true").ok();
    container.on(&["delete", "--force"]).ok();
    assert_eq!(container.wait(), 137);
    container.assert_gone();
}

/// As an init system inside does: its group hands on controllers, and so takes no process any more.
#[test]
fn exec_goes_where_the_first_process_is() {
    if cannot_run_as_root() {
        return;
    }
    if !is_unified() {
        skip("on version 1 groups with groups in them take processes");
        return;
    }
    let container = Container::sleeping();
    fs::create_dir(container.group("", "inner")).expect("a group");
    let pid = container.pid().as_raw_nonzero().to_string();
    fs::write(container.group("", "inner/cgroup.procs"), pid).expect("it is moved");
    fs::write(container.group("", "cgroup.subtree_control"), "+memory +pids").expect("handed on");
    let outcome = exec(&container, "cat /proc/self/cgroup").ok();
    assert_eq!(outcome.text(), format!("0::/{}/inner", container.group));
    container.on(&["pause"]).ok();
    assert_eq!(container.status(), "paused");
    container.on(&["delete", "--force"]).ok();
}
