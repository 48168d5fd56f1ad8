//! Commands on what is left of containers: states of processes that are really there, and directories as
//! a killed command leaves them.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Scratch, exists, json};

/// A process that is killed at the end.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("it starts"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// The signal that it ended by.
    fn ended_by(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().expect("it is this process's child") {
                return status.signal();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Field 22 of `/proc/PID/stat`.
fn start(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let (_, rest) = text.rsplit_once(')').expect("a name is in it");
    rest.split_whitespace().nth(19).and_then(|field| field.parse().ok()).expect("it is a number")
}

/// Writes what `create` leaves, with the first process given.
fn plant(scratch: &Scratch, id: &str, init: Value) {
    let dir = scratch.root().join(id);
    fs::create_dir_all(&dir).expect("it is made");
    let cgroup: Value = serde_json::from_str(CGROUP).expect("it is JSON");
    let state = json!({
        "oci_version": "1.0.2", "id": id, "bundle": "/bundle", "rootfs": "/bundle/rootfs",
        "annotations": {}, "created": "2026-01-02T03:04:05Z", "owner": 0, "rootless": false,
        "walls": "config", "phase": "created", "init": init, "cgroup": cgroup,
    });
    fs::write(dir.join("config.json"), "{\"ociVersion\":\"1.0.2\"}").expect("it is written");
    fs::write(dir.join("state.json"), state.to_string()).expect("it is written");
}

/// No group: nothing was limited, and nothing may be.
const CGROUP: &str = r#"{
    "groups": [], "alone": false, "scope": null, "rootless": true, "explicit": false,
    "limited": false, "made": false
}"#;

fn init(pid: u32, start: u64) -> Value {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    json!({ "pid": pid, "start": start, "boot": boot.trim_end() })
}

#[test]
fn a_running_container_is_shown_signalled_and_deleted() {
    let scratch = Scratch::new();
    let mut sleeper = Sleeper::new();
    plant(&scratch, "one", init(sleeper.pid(), start(sleeper.pid())));
    let shown = json(&scratch.call("state one"));
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["pid"], sleeper.pid());
    let list = json(&scratch.call("list --format json"));
    assert_eq!(list[0]["id"], "one");
    assert_eq!(list[0]["owner"], "root");
    assert_eq!(scratch.call("list -q").out, "one\n");

    let refused = scratch.call("delete one");
    assert_eq!(refused.status, Some(1));
    let words = "cannot delete container one that is not stopped: running";
    assert_eq!(scratch.last(), words);
    assert_eq!(scratch.call("resume one").status, Some(1));
    assert_eq!(scratch.last(), "container not paused");

    assert_eq!(scratch.call("kill one USR1").status, Some(0));
    assert_eq!(sleeper.ended_by(), Some(10));
    assert_eq!(json(&scratch.call("state one"))["status"], "stopped");
    assert_eq!(json(&scratch.call("state one"))["pid"], 0);
    assert_eq!(scratch.call("kill one TERM").status, Some(1));
    assert_eq!(scratch.last(), "container not running");
    assert_eq!(scratch.call("delete one").status, Some(0));
    assert!(!exists(&scratch.root().join("one")));
}

#[test]
fn force_kills_and_waits_for_it() {
    let scratch = Scratch::new();
    let mut sleeper = Sleeper::new();
    plant(&scratch, "one", init(sleeper.pid(), start(sleeper.pid())));
    let said = scratch.call("delete --force one");
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    // Dead already, and not yet waited for.
    let status = sleeper.0.try_wait().expect("it is this process's child").expect("it has ended");
    assert_eq!(status.signal(), Some(9));
    assert!(!exists(&scratch.root().join("one")));
    assert_eq!(scratch.call("delete --force one").status, Some(0));
}

#[test]
fn another_process_with_the_same_id_is_left_alone() {
    let scratch = Scratch::new();
    let mut sleeper = Sleeper::new();
    plant(&scratch, "one", init(sleeper.pid(), start(sleeper.pid()) + 1));
    assert_eq!(json(&scratch.call("state one"))["status"], "stopped");
    assert_eq!(scratch.call("kill one KILL").status, Some(1));
    assert_eq!(scratch.last(), "container not running");
    assert_eq!(scratch.call("delete --force one").status, Some(0));
    assert!(sleeper.0.try_wait().expect("it is this process's child").is_none());
}

#[test]
fn what_killed_commands_leave_is_listed_and_deleted() {
    let scratch = Scratch::new();
    let root = scratch.root();
    // Killed after mkdir, and after the config was written.
    fs::create_dir_all(root.join("empty")).expect("it is made");
    fs::create_dir_all(root.join("half")).expect("it is made");
    for (file, text) in [("lock", ""), ("config.json", "{"), ("state.json.new", "{\"id\":")] {
        fs::write(root.join("half").join(file), text).expect("it is written");
    }
    // A state that something else has destroyed.
    fs::create_dir_all(root.join("broken")).expect("it is made");
    fs::write(root.join("broken/state.json"), "{").expect("it is written");
    // Killed before there was a process.
    plant(&scratch, "planned", Value::Null);

    let list = json(&scratch.call("list --format json"));
    let shown: Vec<_> = list
        .as_array()
        .expect("it is a list")
        .iter()
        .map(|line| (line["id"].as_str().unwrap_or(""), line["status"].as_str().unwrap_or("")))
        .collect();
    let stopped = ["broken", "empty", "half", "planned"].map(|id| (id, "stopped"));
    assert_eq!(shown, stopped);
    assert_eq!(scratch.call("state empty").status, Some(1));
    assert_eq!(scratch.last(), "container does not exist");
    assert_eq!(scratch.call("state broken").status, Some(1));
    assert!(scratch.last().contains("state.json"), "{}", scratch.last());
    assert_eq!(scratch.call("delete broken").status, Some(1));
    for id in ["empty", "half", "broken", "planned"] {
        let said = scratch.call(&format!("delete --force {id}"));
        assert_eq!((said.status, said.err.as_str()), (Some(0), ""), "{id}");
        assert!(!exists(&root.join(id)), "{id}");
    }
    assert_eq!(scratch.call("list -q").out, "");
}

#[test]
fn a_container_that_is_being_made_is_no_container_yet() {
    let scratch = Scratch::new();
    let dir = scratch.root().join("one");
    fs::create_dir_all(&dir).expect("it is made");
    let lock = fs::File::create(dir.join("lock")).expect("it is made");
    rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .expect("nobody else has it");
    let list = json(&scratch.call("list --format json"));
    assert_eq!(list[0]["status"], "creating");
    assert_eq!(scratch.call("kill one").status, Some(1));
    assert_eq!(scratch.last(), "container does not exist");
    drop(lock);
    let list = json(&scratch.call("list --format json"));
    assert_eq!(list[0]["status"], "stopped");
}

#[test]
fn limits_that_were_changed_are_kept() {
    let scratch = Scratch::new();
    let sleeper = Sleeper::new();
    plant(&scratch, "one", init(sleeper.pid(), start(sleeper.pid())));
    let file = scratch.root().join("one/config.json");
    let config = json!({
        "ociVersion": "1.0.2", "x-new": 1,
        "linux": { "resources": { "memory": { "limit": 1 }, "cpu": { "shares": 2 } } },
    });
    fs::write(&file, config.to_string()).expect("it is written");
    fs::write(scratch.path.join("change"), r#"{"cpu":{"shares":0},"memory":{"swap":null}}"#)
        .expect("it is written");
    let said = scratch.call("update --resources=change one");
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    let text = fs::read(&file).expect("it is there");
    let kept: Value = serde_json::from_slice(&text).expect("it is JSON");
    let resources = json!({ "memory": { "limit": 1 }, "cpu": { "shares": 0 } });
    assert_eq!(kept["linux"]["resources"], resources);
    assert_eq!(kept["x-new"], 1);
    fs::write(scratch.path.join("change"), r#"{"memory":{"limit":"much"}}"#)
        .expect("it is written");
    assert_eq!(scratch.call("update --resources=change one").status, Some(1));
    assert!(scratch.last().contains("memory.limit"), "{}", scratch.last());
    assert_eq!(fs::read(&file).expect("it is there"), text);
}
