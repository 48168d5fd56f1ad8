use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::properties::bits;
use super::*;

fn spec(path: Option<&str>, annotations: &HashMap<&str, &str>) -> Spec {
    let linux = path.map_or(json!({}), |path| json!({ "cgroupsPath": path }));
    let text = json!({ "ociVersion": "1.0.2", "linux": linux, "annotations": annotations });
    serde_json::from_value(text).expect("a document of the specification")
}

fn scope(path: Option<&str>) -> Outcome<Scope> {
    Scope::new(&spec(path, &HashMap::new()), "the-id", false)
}

#[test]
fn the_path_names_slice_and_unit() {
    let names = |path| scope(path).map(|scope| (scope.slice, scope.unit)).expect("a good path");
    let names = |path| {
        let (slice, unit) = names(path);
        format!("{slice} {unit}")
    };
    assert_eq!(names(Some("system.slice:docker:12ab")), "system.slice docker-12ab.scope");
    assert_eq!(names(Some(":libpod:12ab")), "system.slice libpod-12ab.scope");
    assert_eq!(names(Some("a-b.slice::12ab")), "a-b.slice 12ab.scope");
    assert_eq!(names(None), "system.slice stockade-the-id.scope");
}

#[test]
fn names_that_are_none_of_systemd_are_refused() {
    let long = format!("a.slice:b:{}", "c".repeat(300));
    for path in ["/docker/12ab", "a:b", "a:b:c:d", "a.slice:b:", "a.slice:b:c/d", "a:b:c", &long] {
        scope(Some(path)).expect_err(path);
    }
    for path in ["a.slice:b:c\nd", "a.slice:b:..\0", "-a.slice:b:c", "a--b.slice:b:c", ".slice:b:c"]
    {
        scope(Some(path)).expect_err(path);
    }
}

#[test]
fn slices_are_in_one_another() {
    assert_eq!(expand("system.slice").expect("a slice"), "system.slice");
    assert_eq!(expand("a-b-c.slice").expect("a slice"), "a.slice/a-b.slice/a-b-c.slice");
    assert_eq!(expand("-.slice").expect("the root"), "");
    for slice in ["a", "a/b.slice", "a-.slice", "...slice/"] {
        expand(slice).expect_err(slice);
    }
}

#[test]
fn annotations_become_properties() {
    let read = |key: &str, value: &str| {
        let property = Property::annotated(&format!("org.systemd.property.{key}"), value);
        property.map(|property| Property::listed(&[property.expect("it is one")])[1..].join(" "))
    };
    let fine = |key: &str, value: &str| read(key, value).expect("a good value");
    assert_eq!(fine("CollectMode", "'inactive-or-failed'"), "CollectMode s inactive-or-failed");
    assert_eq!(fine("TimeoutStopUSec", "uint64 5000"), "TimeoutStopUSec t 5000");
    assert_eq!(fine("TimeoutStopSec", "uint32 2"), "TimeoutStopUSec t 2000000");
    assert_eq!(fine("SendSIGHUP", "true"), "SendSIGHUP b true");
    assert_eq!(fine("KillSignal", "37"), "KillSignal i 37");
    for (key, value) in
        [("a.b", "1"), ("Name", "'x"), ("Name", "[1]"), ("TimeSec", "-1"), ("X", "1")]
    {
        read(key, value).expect_err(value);
    }
    assert_eq!(Property::annotated("org.example", "1").expect("another one"), None);
}

#[test]
fn lists_become_bits() {
    assert_eq!(bits("0,2-3,9"), Some(vec![0b1101, 0b10]));
    assert_eq!((bits(""), bits("x"), bits("3-")), (None, None, None));
}

/// A program in the place of `busctl` that writes down what it is told, and answers.
struct Manager(PathBuf);

impl Manager {
    fn new(answer: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stockade-test-{}-busctl-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        let log = path.join("log").display().to_string();
        let script = format!("#!/bin/sh\nprintf '%s|' \"$@\" >> {log}\necho >> {log}\n{answer}\n");
        fs::write(path.join("busctl"), script).expect("a new file");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path.join("busctl"), mode).expect("it is ours");
        Self(path)
    }

    fn scope(&self) -> Scope {
        let busctl = self.0.join("busctl").display().to_string();
        Scope { busctl, ..scope(Some("system.slice:docker:12ab")).expect("a good path") }
    }

    /// What it was told after the name of the interface, call by call.
    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.join("log")).unwrap_or_default();
        let start = "org.freedesktop.systemd1.Manager|";
        log.lines()
            .map(|line| line.split_once(start).map_or(line, |(_, rest)| rest).to_owned())
            .collect()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where this process is, as a manager would have put it there.
fn own() -> String {
    let text = fs::read_to_string("/proc/self/cgroup").expect("/proc is there");
    let unified = text.lines().find_map(|line| line.strip_prefix("0::/"));
    unified.expect("version 2 is there on any kernel of today").to_owned()
}

#[test]
fn a_unit_is_started_with_its_process_and_limits() {
    let manager = Manager::new("");
    let resources = serde_json::from_value(json!({
        "memory": { "limit": 1_048_576, "swap": 2_097_152 },
        "cpu": { "shares": 1024, "quota": 15_001, "period": 100_000, "cpus": "0-1" },
        "pids": { "limit": -1 },
    }))
    .expect("a document of the specification");
    let pid = std::process::id().cast_signed();
    manager.scope().start(pid, &own(), &resources, Version::V2).expect("it is there already");
    let log = manager.log();
    let expected = format!(
        "StartTransientUnit|ssa(sv)a(sa(sv))|docker-12ab.scope|replace|16|\
         Description|s|container docker-12ab.scope|Slice|s|system.slice|PIDs|au|1|{pid}|\
         Delegate|b|true|MemoryAccounting|b|true|CPUAccounting|b|true|IOAccounting|b|true|\
         TasksAccounting|b|true|DefaultDependencies|b|false|MemoryMax|t|1048576|\
         MemorySwapMax|t|1048576|CPUWeight|t|100|CPUQuotaPeriodUSec|t|100000|\
         CPUQuotaPerSecUSec|t|160000|AllowedCPUs|ay|1|3|TasksMax|t|{}|0|",
        u64::MAX
    );
    assert_eq!(log, [expected]);
}

#[test]
fn on_version_1_a_unit_is_told_of_devices() {
    let manager = Manager::new("");
    let pid = std::process::id().cast_signed();
    let none = LinuxResources::default();
    manager.scope().start(pid, &own(), &none, Version::V1).expect("it is there already");
    let log = manager.log().join("\n");
    assert!(log.contains("|DevicePolicy|s|strict|DeviceAllow|a(ss)|11|char-*|m|"), "{log}");
    assert!(log.contains("|/dev/char/1:3|rwm|"), "{log}");
}

#[test]
fn a_failed_unit_of_that_name_is_cleared_away_once() {
    let answer = "case \"$*\" in *Start*) echo 'Unit x was already loaded' >&2; exit 1;; esac";
    let manager = Manager::new(answer);
    let none = LinuxResources::default();
    let failure = manager.scope().start(1, "x", &none, Version::V2).expect_err("it stays");
    assert!(failure.to_string().contains("was already loaded"), "{failure}");
    let names = |line: &String| line.split('|').next().map(str::to_owned);
    let calls: Vec<String> = manager.log().iter().filter_map(names).collect();
    assert_eq!(calls, ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
}

#[test]
fn a_unit_is_stopped_and_one_that_is_gone_is_fine() {
    let manager = Manager::new("");
    manager.scope().stop().expect("it stops");
    assert_eq!(manager.log()[0], "StopUnit|ss|docker-12ab.scope|replace|");
    let gone = Manager::new("echo 'Call failed: Unit x not loaded.' >&2; exit 1");
    gone.scope().stop().expect("it is gone");
    let denied = Manager::new("echo 'Access denied' >&2; exit 1");
    denied.scope().stop().expect_err("it may not");
}

#[test]
fn a_unit_is_told_of_new_limits_and_of_nothing_if_there_are_none() {
    let manager = Manager::new("");
    manager.scope().update(&LinuxResources::default(), Version::V1).expect("nothing to say");
    assert!(manager.log().is_empty());
    let resources = serde_json::from_value(json!({ "memory": { "limit": 5 } })).expect("a limit");
    manager.scope().update(&resources, Version::V1).expect("it is told");
    let expected = "SetUnitProperties|sba(sv)|docker-12ab.scope|true|1|MemoryLimit|t|5|";
    assert_eq!(manager.log(), [expected]);
}

#[test]
fn the_users_manager_says_where_it_is() {
    let manager = Manager::new("echo 's \"/user.slice/user-7.slice/user@7.service\"'");
    let scope = Scope { user: true, ..manager.scope() };
    let path = scope.path().expect("it answers");
    assert_eq!(path, "user.slice/user-7.slice/user@7.service/system.slice/docker-12ab.scope");
    assert!(
        fs::read_to_string(manager.0.join("log")).is_ok_and(|log| log.starts_with("--user|--|"))
    );
}
