//! Configs that are accepted, and what is said of others.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::home::tests::Scratch;

fn parse(config: &Value) -> Outcome<Config> {
    Config::parse(config.to_string(), &Log::none())
}

/// What `spec` writes.
fn usual() -> Value {
    serde_json::from_str(&crate::commands::spec::text(None)).expect("it is JSON")
}

/// Changes one member, and gives what is said.
fn with(place: &str, value: Value) -> String {
    let mut config = usual();
    *config.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
    parse(&config).err().map(|failure| failure.to_string()).unwrap_or_default()
}

#[test]
fn what_spec_writes_and_what_engines_send_is_accepted() {
    parse(&usual()).expect("for root");
    let rootless = crate::commands::spec::text(Some((1000, 1000)));
    let rootless = Config::parse(rootless, &Log::none()).expect("for a user");
    let mappings = rootless.spec.linux().as_ref().and_then(|linux| linux.uid_mappings().as_ref());
    assert_eq!(mappings.map(|mappings| mappings[0].host_id()), Some(1000));
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stockade-oci/src/bundle/tests");
    for name in ["rootful.json", "rootless.json"] {
        let text = fs::read_to_string(dir.join(name)).expect("it is beside this crate");
        let config = Config::parse(text.clone(), &Log::none()).expect(name);
        assert_eq!(config.text, text.as_bytes());
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (place, value, words) in [
        ("/linux/namespaces/0/type", json!("bogus"), "linux.namespaces[0].type"),
        ("/linux/namespaces/0/type", json!("bogus"), "bogus"),
        ("/linux/namespaces/0/type", json!("network"), "network twice"),
        ("/process/capabilities/bounding", json!(["CAP_BOGUS"]), "capabilities.bounding"),
        ("/process/rlimits/0/type", json!("RLIMIT_BOGUS"), "process.rlimits[0].type"),
        ("/process/args", json!([]), "`process.args` must not be empty"),
        ("/process/args", json!([""]), "`process.args` must not be empty"),
        ("/process/cwd", json!("here"), "`process.cwd` must be an absolute path"),
        ("/process", json!(null), "no `process`"),
        ("/root", json!(null), "no `root`"),
        ("/root/path", json!(""), "`root.path`"),
        ("/linux", json!(null), "no `linux`"),
        ("/linux/namespaces", json!([]), "private MNT namespace"),
        ("/linux/namespaces", json!([{ "type": "mount" }]), "private UTS namespace"),
        ("/ociVersion", json!("2.0.0"), "2.0.0"),
        ("/ociVersion", json!(1), "ociVersion"),
        ("/mounts", json!({}), "mounts"),
    ] {
        let said = with(place, value);
        assert!(said.contains(words), "{place}: {said:?}");
    }
    let mut config = usual();
    config["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    let failure = parse(&config).expect_err("there is no such namespace").to_string();
    assert!(failure.contains("private USER namespace"), "{failure}");
    Config::parse("{".into(), &Log::none()).expect_err("it is no JSON");
}

#[test]
fn all_that_is_refused_is_named_at_once() {
    let mut config = usual();
    config["linux"]["intelRdt"] = json!({ "closID": "gold" });
    config["windows"] = json!({ "layerFolders": ["c:"] });
    let failure = parse(&config).expect_err("it is refused").to_string();
    assert!(failure.contains("`linux.intelRdt`") && failure.contains("`windows`"), "{failure}");
}

#[test]
fn members_that_nobody_knows_are_in_the_log_alone() {
    let scratch = Scratch::new();
    let file = scratch.path.join("log");
    let mut config = usual();
    config["linux"]["x-new"] = json!(1);
    Config::parse(config.to_string(), &Log::at(file.clone())).expect("it is passed over");
    let log = fs::read_to_string(file).expect("it was written");
    assert!(log.contains("warning") && log.contains("linux.x-new"), "{log}");
}

#[test]
fn only_a_file_is_read_and_not_too_much_of_it() {
    let scratch = Scratch::new();
    let read = || load(&scratch.path, &Log::none()).map(drop);
    let file = scratch.path.join("config.json");
    let failure = read().expect_err("there is none").to_string();
    assert!(failure.to_lowercase().contains("no such file or directory"), "{failure}");
    fs::write(&file, usual().to_string()).expect("it is written");
    read().expect("it is read");
    fs::write(&file, vec![b' '; bundle::MAX_CONFIG + 1]).expect("it is written");
    read().expect_err("it is too long");
    fs::remove_file(&file).expect("it is there");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0)
        .expect("it is made");
    read().expect_err("it is a pipe, which nobody waits for");
}
