//! What makes no sense is refused in words that engines look for, and nothing is left half made.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::container::Container;
use crate::runtime::{cannot_run, finish, is_not_ours};

/// What `create` says when it is refused; nothing may be left of it.
#[track_caller]
fn refusal(container: &mut Container) -> String {
    let outcome = container.create();
    assert_ne!(outcome.code, 0, "it was made");
    let error = container.error();
    assert!(outcome.stderr.contains(error.trim()), "{outcome:?} in the log: {error}");
    assert_ne!(container.on(&["state"]).code, 0);
    container.assert_gone();
    error
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeper();
    let bundle = container.bundle.path().to_str().expect("a name").to_owned();
    let create = |container: &Container| {
        let mut command = container.runtime();
        finish(command.args(["create", "--bundle", &bundle]).arg(&container.id))
    };
    for text in ["", "{", "[]", "{\"ociVersion\": 7}", "\u{0}", "{} {}"] {
        fs::write(container.file("config.json"), text).expect("a file");
        assert_ne!(create(&container).code, 0, "{text:?}");
        assert_ne!(container.error(), "");
        container.assert_gone();
    }
    fs::remove_file(container.file("config.json")).expect("it is there");
    assert_ne!(create(&container).code, 0);
    let error = container.error();
    assert!(error.contains("config.json"), "{error}");
    container.assert_gone();
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    if cannot_run() {
        return;
    }
    for (pointer, value) in [
        ("/process/args", json!([])),
        ("/process/cwd", json!("")),
        ("/process/capabilities/bounding", json!("CAP_KILL")),
        ("/root/path", json!("not-there")),
        ("/linux/namespaces/-", json!({"type": "imaginary"})),
        ("/linux/namespaces/-", json!({"type": "pid"})),
        ("/process/rlimits", json!([{"type": "RLIMIT_IMAGINARY", "soft": 1, "hard": 1}])),
        ("/mounts/-", json!({"destination": "/in", "type": "imaginary", "source": "x"})),
        ("/linux/devices", json!([{"path": "/dev/x", "type": "z", "major": 1, "minor": 1}])),
    ] {
        let mut container = Container::sleeper();
        container.bundle.set(pointer, value.clone());
        let error = refusal(&mut container);
        assert_ne!(error, "", "{pointer} {value}");
    }
}

#[test]
fn another_version_and_unknown_names_are_refused() {
    if cannot_run() || is_not_ours() {
        return;
    }
    for (pointer, value, word) in [
        ("/ociVersion", json!("2.0.0"), "2.0.0"),
        ("/ociVersion", json!("zero"), "zero"),
        ("/process/capabilities/bounding", json!(["CAP_IMAGINARY"]), "CAP_IMAGINARY"),
        ("/linux/namespaces/-", json!({"type": "imaginary"}), "imaginary"),
        ("/root/path", json!("not-there"), "not-there"),
        ("/process/args", json!([]), "args"),
    ] {
        let mut container = Container::sleeper();
        container.bundle.set(pointer, value);
        let error = refusal(&mut container);
        assert!(error.contains(word), "{pointer}: {error}");
    }
}

#[test]
fn a_program_that_cannot_be_run_is_refused_in_the_words_that_engines_know() {
    if cannot_run() {
        return;
    }
    for (program, words) in [
        ("nosuch", "executable file not found in $PATH"),
        ("/nosuch", "no such file or directory"),
        ("/etc", "permission denied"),
        ("/etc/passwd", "permission denied"),
    ] {
        let mut container = Container::new(&[program]);
        let error = refusal(&mut container);
        assert!(error.contains(words) && error.contains(program), "{error}");
    }
}

#[test]
fn an_id_that_exists_is_refused_and_what_has_it_is_as_it_was() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeping();
    let pid = container.pid();
    let bundle = container.bundle.path().to_str().expect("a name").to_owned();
    let mut command = container.runtime();
    let outcome = finish(command.args(["create", "--bundle", &bundle]).arg(&container.id));
    assert_ne!(outcome.code, 0);
    let error = container.error();
    assert!(error.contains("container with given ID already exists"), "{error}");
    assert_eq!(container.status(), "running");
    assert_eq!(container.state()["pid"], json!(pid.as_raw_nonzero()));
    container.on(&["delete", "--force"]).ok();
    assert_eq!(container.wait(), 137);
    container.assert_gone();
}

#[test]
fn an_id_is_no_path() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeper();
    container.bundle.write();
    let bundle = container.bundle.path().to_str().expect("a name");
    let long = "x".repeat(4096);
    for id in ["", "/", "a/b", "..", "../x", ".", "a b", "a\n", "é", long.as_str()] {
        let outcome = container.call(&["create", "--bundle", bundle, id]);
        assert_ne!(outcome.code, 0, "{id:?}");
        for command in ["start", "state", "kill", "delete"] {
            assert_ne!(container.call(&[command, id]).code, 0, "{command} {id:?}");
        }
    }
    assert!(!container.file("x").exists());
    let state = fs::read_dir(container.state_root());
    assert_eq!(state.map_or(0, Iterator::count), 0, "nothing is left in the state directory");
}

#[test]
fn what_does_not_exist_is_said_not_to_exist() {
    if cannot_run() {
        return;
    }
    let container = Container::sleeper();
    for words in [
        &["state"][..],
        &["start"],
        &["kill"],
        &["delete"],
        &["pause"],
        &["resume"],
        &["ps"],
        &["events", "--stats"],
        &["update", "--memory", "1000000"],
    ] {
        assert_ne!(container.on(words).code, 0, "{words:?}");
        assert!(container.error().contains("does not exist"), "{words:?}: {}", container.error());
    }
    assert_ne!(container.call(&["exec", &container.id, "true"]).code, 0);
    assert!(container.error().contains("does not exist"), "{}", container.error());
    container.on(&["delete", "--force"]).ok();
}

#[test]
fn a_state_file_that_cannot_be_read_is_an_error_and_is_removed_by_force() {
    if cannot_run() {
        return;
    }
    for text in ["", "{", "null", "\u{0}\u{0}\u{0}"] {
        let mut container = Container::sleeping();
        let file = state_file(&container);
        fs::write(&file, text).expect("it is written over");
        for words in [&["state"][..], &["start"], &["kill"]] {
            assert_ne!(container.on(words).code, 0, "{words:?} with {text:?}");
        }
        // Whom it was about, it does not say any more: the engine knows.
        container.call(&["list"]);
        container.on(&["delete", "--force"]);
        let pid = container.pid();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        assert_eq!(container.wait(), 137);
        container.remove_groups();
    }
}

#[test]
fn force_removes_what_has_a_dead_state_file() {
    if cannot_run() || is_not_ours() {
        return;
    }
    let mut container = Container::sleeping();
    fs::write(state_file(&container), "{").expect("it is written over");
    container.on(&["delete", "--force"]).ok();
    let pid = container.pid();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    container.wait();
    assert!(!container.state_root().join(&container.id).exists());
    container.remove_groups();
}

fn state_file(container: &Container) -> std::path::PathBuf {
    container.state_root().join(&container.id).join("state.json")
}

#[test]
fn a_host_without_the_group_or_with_a_root_that_is_a_file_is_an_error() {
    if cannot_run() {
        return;
    }
    let mut container = Container::sleeper();
    container.bundle.set("/root/path", json!("config.json"));
    refusal(&mut container);
    let mut container = Container::sleeper();
    container.bundle.set("/linux/resources/cpu", json!({"cpus": "4000"}));
    refusal(&mut container);
    assert!(Path::new("/sys/fs/cgroup").is_dir());
}
