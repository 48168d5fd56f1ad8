//! Control groups that systemd makes, as units of its own.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::container::{Container, until};
use crate::runtime::{cannot_run, finish, is_root, is_unified, skip};

/// Whether units cannot be tried, which takes a host that systemd runs, and for a user a manager and a bus.
fn cannot_run_units() -> bool {
    if cannot_run() {
        return true;
    }
    let bus = || Path::new(&env::var_os("XDG_RUNTIME_DIR").unwrap_or_default()).join("bus");
    if !is_root() && !bus().exists() {
        return skip("this user has no bus to ask a manager by");
    }
    if !Path::new("/run/systemd/system").is_dir() {
        return skip("systemd does not run this host");
    }
    !is_unified() && skip("these tests read the files of control groups of version 2")
}

/// A container in a unit, and the unit's name.
fn unit(mut container: Container) -> (Container, String) {
    container.options.push("--systemd-cgroup".to_owned());
    let name = format!("test-{}.scope", container.id);
    container
        .bundle
        .set("/linux/cgroupsPath", json!(format!("it-units.slice:test:{}", container.id)));
    container.group = format!("{}it.slice/it-units.slice/{name}", home());
    (container, name)
}

/// The manager that is asked: a user's own.
fn manager() -> Command {
    let mut command = Command::new("systemctl");
    command.args((!is_root()).then_some("--user"));
    command
}

/// The group of the manager, and a slash.
fn home() -> String {
    if is_root() {
        return String::new();
    }
    let outcome = finish(manager().args(["show", "--value", "--property", "ControlGroup"])).ok();
    format!("{}/", outcome.text().trim_start_matches('/'))
}

/// What the manager says of a unit.
fn shown(unit: &str) -> BTreeMap<String, String> {
    let outcome = finish(manager().args(["show", "--", unit])).ok();
    let pairs = outcome.stdout.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn assert_no_unit(name: &str) {
    // The manager forgets what has ended a little later.
    until(&format!("{name} is gone"), || shown(name)["LoadState"] == "not-found");
}

/// One with a limit of each kind, and a device that is not for it, which are root's to give, as are sets of
/// processors: those are not handed on to users here.
fn limited() -> (Container, String) {
    let (mut container, name) = unit(Container::sleeper());
    let resources = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": 64 << 20},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
        "pids": {"limit": 33},
    });
    container.bundle.set("/linux/resources", resources);
    let collect = json!({"org.systemd.property.CollectMode": "'inactive-or-failed'"});
    container.bundle.set("/annotations", collect);
    if is_root() {
        container.bundle.set("/linux/resources/cpu/cpus", json!("0"));
        let refused = json!({"path": "/dev/refused", "type": "c", "major": 5, "minor": 1});
        container.bundle.set("/linux/devices", json!([refused]));
    }
    (container, name)
}

/// What its groups say, also when the manager has read all anew, which undoes nothing.
#[track_caller]
fn assert_limits(container: &Container, limits: [&str; 5]) {
    let said = || {
        ["memory.max", "memory.low", "cpu.weight", "cpu.max", "pids.max"]
            .map(|file| container.group_says("", file))
    };
    assert_eq!(said(), limits);
    finish(manager().arg("daemon-reload")).ok();
    assert_eq!(said(), limits);
}

#[track_caller]
fn assert_properties(unit: &str, properties: &[(&str, &str)]) {
    let said = shown(unit);
    for (property, value) in properties {
        let found = said.get(*property).map_or("", String::as_str);
        assert_eq!(found, *value, "{property}");
    }
}

#[test]
fn a_unit_holds_a_container_and_its_limits_to_its_end() {
    if cannot_run_units() {
        return;
    }
    let (mut container, name) = limited();
    container.started();
    let pid = container.pid().as_raw_nonzero().to_string();
    assert_eq!(container.group_says("", "cgroup.procs"), pid);
    assert_limits(&container, ["67108864", "33554432", "59", "50000 100000", "33"]);
    let properties = [
        ("ActiveState", "active"),
        ("Slice", "it-units.slice"),
        ("MemoryMax", "67108864"),
        ("MemorySwapMax", "0"),
        ("CPUWeight", "59"),
        ("CPUQuotaPerSecUSec", "500ms"),
        ("AllowedCPUs", if is_root() { "0" } else { "" }),
        ("TasksMax", "33"),
        ("Delegate", "yes"),
        ("CollectMode", "inactive-or-failed"),
    ];
    assert_properties(&name, &properties);
    let mut command = container.runtime();
    let script = "cat /proc/self/cgroup; true < /dev/refused";
    let outcome =
        container.run_with_files(command.args(["exec", &container.id, "sh", "-c", script]));
    let why = if is_root() { "not permitted" } else { "no such file" };
    assert!(outcome.code != 0 && outcome.stderr.contains(why), "{outcome:?}");
    assert_eq!(outcome.text(), format!("0::/{}", container.group));

    let document = json!({"memory": {"limit": 48 << 20}, "cpu": {"quota": 20_000, "period": 50_000},
        "pids": {"limit": 44}});
    fs::write(container.file("resources.json"), document.to_string()).expect("a file");
    let file = container.file("resources.json");
    container.on(&["update", "--resources", file.to_str().expect("a name")]).ok();
    assert_limits(&container, ["50331648", "33554432", "59", "20000 50000", "44"]);
    let properties =
        [("MemoryMax", "50331648"), ("TasksMax", "44"), ("CPUQuotaPerSecUSec", "400ms")];
    assert_properties(&name, &properties);

    container.on(&["pause"]).ok();
    assert_eq!(container.status(), "paused");
    container.on(&["resume"]).ok();
    let stats = container.on(&["events", "--stats"]).ok();
    let stats: Value = serde_json::from_str(&stats.stdout).expect("JSON");
    assert_eq!(stats["data"]["pids"]["limit"], 44, "{stats:#}");
    container.call(&["kill", &container.id, "KILL"]).ok();
    assert_eq!(container.wait(), 137);
    container.on(&["delete"]).ok();
    container.assert_gone();
    assert_no_unit(&name);
}

#[test]
fn nothing_is_left_of_a_unit_that_is_deleted_by_force_or_failed() {
    if cannot_run_units() {
        return;
    }
    let (mut container, name) = unit(Container::script("sleep 1000 & sleep 1000 & wait"));
    if is_root() {
        container.bundle.without_namespace("pid");
    }
    container.started();
    until("all have begun", || container.group_says("", "cgroup.procs").lines().count() == 3);
    container.on(&["delete", "--force"]).ok();
    container.wait();
    container.assert_gone();
    assert_no_unit(&name);

    let (mut container, name) = unit(Container::new(&["/nosuch"]));
    assert_ne!(container.create().code, 0);
    container.assert_gone();
    assert_no_unit(&name);

    let (mut container, name) = unit(Container::sleeper());
    container.bundle.set("/linux/resources/cpu", json!({"cpus": "4000"}));
    assert_ne!(container.create().code, 0);
    assert!(container.error().contains("cpu"), "{}", container.error());
    container.assert_gone();
    assert_no_unit(&name);
}

#[test]
fn without_a_path_the_unit_is_named_after_the_container() {
    if cannot_run_units() {
        return;
    }
    let slice = if is_root() { "system.slice" } else { "user.slice" };
    let mut container =
        Container::script("cat /proc/self/cgroup").set("/linux/cgroupsPath", json!(""));
    container.options.push("--systemd-cgroup".to_owned());
    container.group = format!("{}{slice}/stockade-{}.scope", home(), container.id);
    assert_eq!(container.says(), format!("0::/{}", container.group));
    container.on(&["delete"]).ok();
    container.assert_gone();

    let mut container = Container::sleeper().set("/linux/cgroupsPath", json!("/a/path"));
    container.options.push("--systemd-cgroup".to_owned());
    assert_ne!(container.create().code, 0, "a path is none of a unit");
    assert!(container.error().contains("slice:prefix:name"), "{}", container.error());
    container.assert_gone();
}

#[test]
fn a_runtime_killed_at_any_moment_leaves_a_unit_that_delete_by_force_removes() {
    if cannot_run_units() {
        return;
    }
    for place in 0..6 {
        let (container, name) = unit(Container::sleeper());
        container.bundle.write();
        let mut command = container.runtime();
        command.args(["create", "--bundle"]).arg(container.bundle.path()).arg(&container.id);
        let mut child = command.spawn().expect("the runtime starts");
        std::thread::sleep(std::time::Duration::from_millis(80) * place);
        let _ = child.kill();
        let _ = child.wait();
        until("force removes it", || container.on(&["delete", "--force"]).code == 0);
        super::death::reap_orphans();
        until(&format!("nothing is left, {:?}", container.traces()), || {
            super::death::reap_orphans();
            container.traces().is_empty()
        });
        assert_no_unit(&name);
    }
}
