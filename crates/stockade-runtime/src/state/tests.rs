//! How containers are, by processes that are really so.

use std::fs;
use std::process::{Child, Command};

use rustix::fs::{FileType, Mode, OFlags};
use serde_json::{Value, json};

use super::*;
use crate::home::tests::{Scratch, state};

/// A process that is killed at the end.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("it starts"))
    }

    fn init(&self) -> Init {
        Init::of(self.0.id().cast_signed()).expect("it has not been waited for")
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_status_follows_the_process_and_the_gate() {
    let scratch = Scratch::new();
    let (entry, _lock) = scratch.home().reserve("id").expect("it is free");
    assert_eq!(state("id", None).status(&entry), Status::Stopped);
    let mut sleeper = Sleeper::new();
    let mut state = state("id", Some(sleeper.init()));
    state.phase = Phase::Creating;
    assert_eq!(state.status(&entry), Status::Creating);
    state.phase = Phase::Created;
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(entry.dir(), Entry::START, FileType::Fifo, mode, 0).expect("it is made");
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let gate = rustix::fs::openat(entry.dir(), Entry::START, flags, mode).expect("it opens");
    assert_eq!(state.status(&entry), Status::Created);
    // The program's execve(2) closes it, whether the file is removed or not.
    drop(gate);
    assert_eq!(state.status(&entry), Status::Running);
    fs::remove_file(entry.path().join(Entry::START)).expect("it is there");
    assert_eq!(state.status(&entry), Status::Running);
    // It has ended, and nobody has waited for it.
    sleeper.0.kill().expect("it runs");
    let pid = rustix::process::Pid::from_child(&sleeper.0);
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).expect("it ends");
    assert!(fs::exists(format!("/proc/{}", sleeper.0.id())).expect("it is looked at"));
    assert_eq!(state.status(&entry), Status::Stopped);
    sleeper.0.wait().expect("it has ended");
    assert_eq!(state.status(&entry), Status::Stopped);
}

#[test]
fn what_is_printed_has_the_members_of_runc() {
    let init = Init::of(std::process::id().cast_signed()).expect("this is a process");
    let pid = init.pid;
    let state = state("id", Some(init));
    let value = |shown: &Shown<'_>| serde_json::to_value(shown).expect("it is JSON");
    let shown = value(&state.shown(Status::Running).expect("it is text"));
    let expected = json!({
        "ociVersion": "1.0.2", "id": "id", "pid": pid, "status": "running", "bundle": "/bundle",
        "rootfs": "/bundle/rootfs", "created": "2026-01-02T03:04:05.678901234Z",
        "annotations": { "a": "b" }, "owner": "",
    });
    assert_eq!(shown, expected);
    assert_eq!(value(&state.shown(Status::Stopped).expect("it is text"))["pid"], 0);
    let hook: Value = serde_json::from_str(&state.oci_json(Status::Creating).expect("it is text"))
        .expect("it is JSON");
    let expected = json!({
        "ociVersion": "1.0.2", "id": "id", "pid": pid, "status": "creating", "bundle": "/bundle",
        "annotations": { "a": "b" },
    });
    assert_eq!(hook, expected);
}
