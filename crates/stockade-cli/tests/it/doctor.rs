//! `stockade doctor`.

use serde_json::Value;

use crate::command::call;

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

#[test]
fn json_has_the_documented_shape() {
    let outcome = call(&["doctor", "--json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["host"]["arch"], std::env::consts::ARCH);
    for (index, name) in ["namespace", "wasm"].into_iter().enumerate() {
        has_the_documented_shape(&found["backends"][index], name);
    }
}

fn has_the_documented_shape(backend: &Value, name: &str) {
    assert_eq!(backend["backend"], name);
    assert_eq!(backend["available"], true, "{}", backend["error"]);
    let controls = backend["controls"].as_array().expect("a list");
    let names: Vec<_> = controls.iter().map(|control| control["control"].clone()).collect();
    assert_eq!(names, CONTROLS);
    for control in controls {
        let has = |member: &str| control[member].is_string();
        let expected = match control["status"].as_str() {
            Some("enforced") => (true, false),
            Some("approximated") => (true, true),
            Some("unavailable") => (false, true),
            other => panic!("{other:?} is no status"),
        };
        assert_eq!((has("mechanism"), has("reason")), expected, "{control}");
    }
}

#[test]
fn the_table_has_a_row_for_every_control_and_no_colour() {
    let outcome = call(&["doctor"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!outcome.stdout.contains('\x1b'));
    for control in CONTROLS {
        let row = |line: &str| line.split_whitespace().next() == Some(control);
        assert!(outcome.stdout.lines().any(row), "no {control} in\n{}", outcome.stdout);
    }
}
