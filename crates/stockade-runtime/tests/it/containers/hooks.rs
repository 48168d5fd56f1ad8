//! Hooks: when they run, what they are told, and what comes of those that fail or hang.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::container::{Container, PATIENCE};
use crate::runtime::{cannot_run, is_stockade};

/// A hook that notes that it ran and what it read, in a directory as it sees it.
fn recorder(name: &str, dir: &str) -> Value {
    let script = format!("cat > {dir}/{name}; echo {name} >> {dir}/order");
    json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}])
}

#[test]
fn all_hooks_run_in_their_order_and_are_told_the_state() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper();
    let outside = container.bundle.path().to_str().expect("a name").to_owned();
    fs::create_dir(container.bundle.root("hooks")).expect("a directory");
    for name in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        container.bundle.set("/hooks", container.bundle.config["hooks"].clone());
        container.bundle.set(&format!("/hooks/{name}"), recorder(name, &outside));
    }
    container.bundle.set("/hooks/startContainer", recorder("startContainer", "/hooks"));
    let order = |container: &Container| {
        let order = fs::read_to_string(container.file("order")).unwrap_or_default();
        order.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let told = |container: &Container, name: &str| -> Value {
        let inside = container.bundle.root("hooks").join(name);
        let text = fs::read_to_string(container.file(name)).or_else(|_| fs::read_to_string(inside));
        serde_json::from_str(&text.expect("it ran")).expect("JSON")
    };
    container.create().ok();
    let created = ["prestart", "createRuntime", "createContainer"];
    // Others run `poststart` as early as this.
    let early = if is_stockade() { 3 } else { 4 };
    assert_eq!(order(&container)[..3], created);
    assert_eq!(order(&container).len(), early);
    assert!(!container.bundle.root("hooks/order").exists());
    let pid = container.pid().as_raw_nonzero().get();
    container.on(&["start"]).ok();
    assert_eq!(order(&container).last().map(String::as_str), Some("poststart"));
    // It ran before the program; `start` does not wait for that.
    crate::container::until("startContainer ran", || container.bundle.root("hooks/order").exists());
    container.call(&["kill", &container.id, "9"]).ok();
    container.wait();
    assert_eq!(order(&container).len(), 4);
    container.on(&["delete"]).ok();
    assert_eq!(order(&container)[3..], ["poststart", "poststop"]);
    for name in created.into_iter().chain(["startContainer", "poststart", "poststop"]) {
        let state = told(&container, name);
        assert_eq!(state["id"], container.id.as_str(), "{name}");
        assert_eq!(state["bundle"], outside.as_str(), "{name}");
        let status = state["status"].as_str().expect("a status");
        match name {
            "poststart" if !is_stockade() => assert_eq!(state["pid"], json!(pid)),
            "poststart" => assert_eq!((status, &state["pid"]), ("running", &json!(pid))),
            "poststop" => assert_eq!(status, "stopped"),
            // The first process numbers itself where it is the first.
            "createContainer" | "startContainer" => assert!(state["pid"].is_i64(), "{state}"),
            _ => assert_eq!((status, &state["pid"]), ("creating", &json!(pid)), "{name}"),
        }
    }
}

#[test]
fn a_hook_that_fails_undoes_the_container() {
    if cannot_run() {
        return;
    }
    for name in ["prestart", "createRuntime", "createContainer"] {
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "echo reason >&2; exit 3"]}]);
        let mut container = Container::sleeper();
        container.bundle.set("/hooks", json!({name: hook}));
        assert_ne!(container.create().code, 0);
        let error = container.error();
        assert!(error.contains("hook") && error.contains('3'), "{name}: {error}");
        assert_ne!(container.on(&["state"]).code, 0);
        container.assert_gone();
    }
}

#[test]
fn a_hook_that_hangs_is_ended_after_its_timeout() {
    if cannot_run() {
        return;
    }
    let hook = json!([{"path": "/bin/sleep", "args": ["sleep", "61"], "timeout": 1}]);
    let mut container = Container::sleeper();
    container.bundle.set("/hooks", json!({"createRuntime": hook}));
    let begun = Instant::now();
    assert_ne!(container.create().code, 0);
    assert!(begun.elapsed() < PATIENCE);
    container.assert_gone();
}

#[test]
fn a_hook_that_is_not_there_is_an_error() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper();
    container.bundle.set("/hooks", json!({"createRuntime": [{"path": "/no/such/hook"}]}));
    assert_ne!(container.create().code, 0);
    assert!(container.error().contains("/no/such/hook"), "{}", container.error());
    container.assert_gone();
}

/// The engine's only way to say what its network is: the namespace must be there when it is asked.
#[test]
fn hooks_find_the_namespaces_of_the_container_by_the_pid_they_are_told() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper();
    let dir = container.bundle.path().to_str().expect("a name").to_owned();
    let script = format!(
        "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net > {dir}/net"
    );
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    container.bundle.set("/hooks", json!({"createRuntime": hook}));
    container.create().ok();
    let seen = fs::read_to_string(container.file("net")).expect("it ran");
    let own = fs::read_link(container.proc("ns/net")).expect("a link");
    assert_eq!(seen.trim(), own.to_str().expect("a name"));
}
