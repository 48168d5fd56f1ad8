//! Many containers at once.

use std::env;
use std::fs;

use crate::container::{Container, until};
use crate::runtime::cannot_run_as_root;
use serde_json::json;

/// All of them with the same root, as an engine has them with the same image.
#[test]
fn five_hundred_containers_live_at_once_and_leave_nothing() {
    if cannot_run_as_root() {
        return;
    }
    let count = env::var("STOCKADE_TEST_CROWD").ok().and_then(|text| text.parse().ok());
    let count = count.unwrap_or(500);
    let first = Container::sleeper();
    let root = first.bundle.root("");
    let mut crowd: Vec<Container> = Vec::new();
    for _ in 0..count {
        let mut container = Container::bare(&["sleep", "1000"]).set("/root/path", json!(root));
        container.options = vec!["--root".to_owned(), first.state_root().display().to_string()];
        container.create().ok();
        crowd.push(container);
    }
    let listed = |status: &str| {
        let listed = first.call(&["list", "--format", "json"]).ok();
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let all = listed.as_array().expect("a list");
        all.iter().filter(|entry| entry["status"] == status).count()
    };
    assert_eq!(listed("created"), count);
    for container in &crowd {
        container.on(&["start"]).ok();
    }
    assert_eq!(listed("running"), count);
    for container in &crowd {
        container.call(&["kill", &container.id, "9"]).ok();
    }
    for container in &mut crowd {
        assert_eq!(container.wait(), 137);
    }
    until("all are stopped", || listed("stopped") == count);
    for container in &crowd {
        container.on(&["delete"]).ok();
    }
    assert_eq!(first.call(&["list", "--quiet"]).ok().text(), "");
    for container in crowd.iter().step_by(50) {
        container.assert_gone();
    }
    for controller in fs::read_dir("/sys/fs/cgroup").expect("control groups").flatten() {
        let left = crowd.iter().filter(|one| controller.path().join(&one.id).exists()).count();
        assert_eq!(left, 0, "in {}", controller.path().display());
    }
}
