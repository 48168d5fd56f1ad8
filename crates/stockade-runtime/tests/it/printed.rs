//! What is printed by commands that need no container.

use std::fs;

use oci_spec::runtime::{Features, Spec};
use serde_json::json;

use super::{Scratch, bare, json};

#[test]
fn the_version_has_the_lines_that_engines_look_for() {
    for flag in ["--version", "-v"] {
        let said = bare(flag);
        assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
        let mut lines = said.out.lines();
        let first = concat!("stockade-oci version ", env!("CARGO_PKG_VERSION"));
        assert_eq!(lines.next(), Some(first));
        assert_eq!(lines.next(), Some("spec: 1.2.0"));
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn help_has_every_command_and_option() {
    let help = bare("--help");
    assert_eq!((help.status, help.err.as_str()), (Some(0), ""));
    let commands = [
        "create", "start", "run", "exec", "state", "kill", "delete", "list", "ps", "pause",
        "resume", "update", "events", "features", "spec",
    ];
    for word in commands.iter().chain(&["--root", "--log", "--systemd-cgroup", "--walls"]) {
        assert!(help.out.contains(word), "no {word}: {}", help.out);
    }
    for command in commands {
        let help = bare(&format!("{command} --help"));
        assert_eq!((help.status, help.err.as_str()), (Some(0), ""), "{command}");
        assert!(help.out.contains("Usage: stockade-oci"), "{}", help.out);
        assert!(help.out.lines().all(|line| line.chars().count() <= 100), "{}", help.out);
    }
}

#[test]
fn features_are_of_the_specification() {
    let value = json(&bare("features"));
    assert_eq!(value["ociVersionMin"], "1.0.0");
    assert_eq!(value["linux"]["cgroup"]["v2"], true);
    let features: Features = serde_json::from_value(value).expect("it is of this form");
    assert!(features.mount_options().as_ref().is_some_and(|options| !options.is_empty()));
}

#[test]
fn a_config_to_begin_with_is_written_once() {
    let scratch = Scratch::new();
    assert_eq!(scratch.call("spec").status, Some(0));
    let file = scratch.path.join("config.json");
    let text = fs::read_to_string(&file).expect("it was written");
    let spec: Spec = serde_json::from_str(&text).expect("it is a config");
    assert_eq!(spec.version(), "1.2.0");
    let again = scratch.call("spec");
    assert_eq!(again.status, Some(1));
    assert_eq!(again.err, "stockade-oci: File config.json exists. Remove it first\n");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), text);

    fs::create_dir(scratch.path.join("other")).expect("it is made");
    assert_eq!(scratch.call("spec --rootless --bundle other").status, Some(0));
    let text = fs::read(scratch.path.join("other/config.json")).expect("it was written");
    let spec: Spec = serde_json::from_slice(&text).expect("it is a config");
    let linux = spec.linux().as_ref().expect("it is there");
    let mappings = linux.uid_mappings().as_ref().expect("they are there");
    assert_eq!(mappings[0].host_id(), rustix::process::geteuid().as_raw());
    assert_eq!(scratch.call("spec --bundle missing").status, Some(1));
}

#[test]
fn an_empty_list_is_empty() {
    let scratch = Scratch::new();
    let table = scratch.call("list");
    assert_eq!(table.status, Some(0));
    assert_eq!(table.out, "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    assert_eq!(json(&scratch.call("list --format json")), json!([]));
    assert_eq!(scratch.call("list -q").out, "");
    // Asking makes nothing.
    assert!(!scratch.root().exists());
}
