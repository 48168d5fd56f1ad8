//! `stockade doctor`.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stockade::{Control, NamespaceSandbox, Policy, Program, Sandbox};

use crate::command::{Outcome, call, stockade};

const CONTROLS: [&str; 16] = [
    "memory",
    "cpu_time",
    "wall_time",
    "cpus",
    "processes",
    "open_files",
    "file_size",
    "disk",
    "output",
    "fuel",
    "filesystem",
    "network",
    "syscalls",
    "privileges",
    "process_tree",
    "ipc",
];

fn found() -> (Outcome, Value) {
    let outcome = call(&["doctor", "--json"]);
    let found = serde_json::from_str(&outcome.stdout).expect("JSON");
    (outcome, found)
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn json_has_the_documented_keys() {
    let (outcome, found) = found();
    let top = ["advice", "backends", "default_policy", "host", "schema", "version"];
    assert_eq!(keys(&found), top);
    assert_eq!(
        (&found["schema"], &found["version"]),
        (&1.into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert_eq!(outcome.code, i32::from(found["default_policy"] != true), "{outcome:?}");
    let host = &found["host"];
    assert_eq!(keys(host), ["arch", "cgroups", "container", "kernel", "seccomp", "uid", "waiting"]);
    assert_eq!(host["arch"], std::env::consts::ARCH);
    assert_eq!(keys(&host["waiting"]), ["helpers", "sandboxes"]);
    for (index, name) in ["namespace", "wasm"].into_iter().enumerate() {
        has_the_documented_keys(&found["backends"][index], name);
    }
    for advice in found["advice"].as_array().expect("a list") {
        assert_eq!(keys(advice), ["fix", "helps"]);
        assert_eq!(keys(&advice["helps"][0]), ["backend", "control"], "{advice}");
    }
}

fn has_the_documented_keys(backend: &Value, name: &str) {
    let expected =
        ["available", "backend", "controls", "default_policy", "error", "hint", "tried", "unmet"];
    assert_eq!(keys(backend), expected);
    assert_eq!(backend["backend"], name);
    assert_eq!(backend["available"], true, "{}", backend["error"]);
    let met = backend["unmet"].as_array().is_some_and(Vec::is_empty);
    assert_eq!(backend["default_policy"], met, "{backend}");
    let controls = backend["controls"].as_array().expect("a list");
    let names: Vec<_> = controls.iter().map(|control| control["control"].clone()).collect();
    assert_eq!(names, CONTROLS);
    for control in controls {
        assert_eq!(keys(control), ["control", "fix", "mechanism", "reason", "status"]);
        let has = |member: &str| control[member].is_string();
        let expected = match control["status"].as_str() {
            Some("enforced") => (true, false),
            Some("approximated") => (true, true),
            Some("unavailable") => (false, true),
            other => panic!("{other:?} is no status"),
        };
        assert_eq!((has("mechanism"), has("reason")), expected, "{control}");
    }
    for tried in backend["tried"].as_array().expect("a list") {
        assert_eq!(keys(tried), ["found", "ok", "what"]);
    }
}

#[test]
fn a_program_really_runs_in_each_backend() {
    let (_, found) = found();
    for backend in found["backends"].as_array().expect("a list") {
        let tried = backend["tried"].as_array().expect("a list");
        let ran = tried.iter().find(|tried| tried["what"] == "every control").expect("a run");
        let words = ran["found"].as_str().unwrap_or_default();
        assert!(ran["ok"] == true && words.contains("exited 0"), "{backend}");
    }
}

#[test]
fn the_screen_has_a_row_for_every_control_and_no_colour() {
    let outcome = call(&["doctor"]);
    assert!(!outcome.stdout.contains('\x1b'));
    for control in CONTROLS {
        let row = |line: &str| line.split_whitespace().nth(1) == Some(control);
        let rows = outcome.stdout.lines().filter(|line| row(line)).count();
        assert!(rows >= 2, "{control} has {rows} rows in\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("\nwhat to do\n"), "{}", outcome.stdout);
}

/// Runs a command in a user namespace of its own in which it has every capability.
fn in_a_user_namespace(command: &[&str]) -> Outcome {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-current-user", "--keep-caps"]).args(command);
    unshare.output().expect("unshare starts").into()
}

/// Runs the command, with these words, in a namespace that allows none within it. `None` where that
/// cannot be had, which is a skip.
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
pub(crate) fn without_namespaces(test: &str, words: &str) -> Option<Outcome> {
    if in_a_user_namespace(&["true"]).code != 0 {
        println!("SKIP: {test}: no namespaces can be made here to begin with");
        return None;
    }
    let script = format!("echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" {words}");
    let command = stockade();
    let binary = command.get_program().to_str().expect("a UTF-8 path");
    Some(in_a_user_namespace(&["sh", "-c", &script, binary]))
}

#[test]
fn what_refuses_namespaces_is_named_and_the_other_backend_still_examined() {
    let name = "what_refuses_namespaces_is_named_and_the_other_backend_still_examined";
    let Some(outcome) = without_namespaces(name, "doctor --json") else { return };
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let [native, wasm] = [0, 1].map(|index| &found["backends"][index]);
    assert_eq!((&native["available"], &native["tried"][0]["ok"]), (&false.into(), &false.into()));
    assert_eq!((&wasm["available"], &wasm["default_policy"]), (&true.into(), &true.into()));
    let fix = found["advice"][0]["fix"].as_str().unwrap_or_default();
    assert!(fix.contains("`sysctl -w user.max_user_namespaces="), "{found:#}");
    assert_eq!(found["advice"][0]["helps"][0]["control"], Value::Null);
}

#[test]
fn what_doctor_advises_to_accept_is_what_a_run_then_needs() {
    let (_, found) = found();
    let unmet = found["backends"][0]["unmet"].as_array().expect("a list");
    let unmet: Vec<_> = unmet.iter().filter_map(Value::as_str).collect();
    let accept = unmet.join(",");
    let strict = call(&["run", "true"]);
    assert_eq!(strict.code, if unmet.is_empty() { 0 } else { 125 }, "{strict:?}");
    if !unmet.is_empty() {
        let lenient = call(&["run", "--best-effort", &accept, "true"]);
        assert_eq!(lenient.code, 0, "{lenient:?}");
    }
}

#[test]
fn a_backend_that_was_not_asked_for_is_not_examined() {
    let outcome = call(&["doctor", "--backend", "wasm", "--json"]);
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let backends = found["backends"].as_array().expect("a list");
    assert_eq!((outcome.code, backends.len()), (0, 1), "{outcome:?}");
    assert_eq!((&backends[0]["backend"], &found["default_policy"]), (&"wasm".into(), &true.into()));
    let native = call(&["doctor", "--backend", "namespace"]);
    assert!(!native.stdout.contains("\nwasm: "), "{}", native.stdout);
}

/// Which process has the sandboxes does not matter; others of this user may have some as well.
#[test]
#[expect(clippy::print_stdout, reason = "the test runner counts what was skipped by its line")]
fn what_waits_for_a_start_is_counted_and_said() {
    let Ok(sandbox) = NamespaceSandbox::new() else {
        println!(
            "SKIP: what_waits_for_a_start_is_counted_and_said: no namespaces can be made here"
        );
        return;
    };
    let mut policy = Policy::default();
    policy.warm = 3;
    policy.best_effort = Control::ALL.into_iter().collect();
    let prepared = sandbox.prepare(&policy, &Program::executable("true"));
    let _prepared = prepared.expect("it can be had everywhere");
    let mut left = 600;
    while sandbox.census().expect("the warden answers").waiting < 3 {
        left -= 1;
        assert_ne!(left, 0, "none waits: {:?}", sandbox.census());
        thread::sleep(Duration::from_millis(10));
    }
    let found = || call(&["doctor", "--backend", "wasm", "--json"]).stdout;
    let count = || {
        let found: Value = serde_json::from_str(&found()).expect("JSON");
        let waiting = &found["host"]["waiting"];
        waiting["sandboxes"].as_u64().zip(waiting["helpers"].as_u64()).expect("they are numbers")
    };
    // One that is counted has its place in the helper a moment before it has its name.
    while count() < (3, 1) {
        left -= 1;
        assert_ne!(left, 0, "{:?}", count());
    }
    let screen = call(&["doctor", "--backend", "wasm"]).stdout;
    assert!(screen.contains(" for a start, built by "), "{screen}");
}
