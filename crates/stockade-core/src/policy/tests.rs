use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use proptest::prelude::*;

use super::{Base, Bytes, Cpus, Limit, MAX_POLICY_TEXT, Mount, Policy, PolicyError};
use crate::generated::{cases, policy};

/// The documented defaults, key by key.
const DOCUMENTED: &str = r#"
best_effort = []
[limits]
memory = "256MiB"
cpu_time = "10s"
wall_time = "30s"
processes = 64
open_files = 256
file_size = "64MiB"
disk = "64MiB"
output = "1MiB"
output_overflow = "stop"
[filesystem]
base = "system"
mounts = []
[network]
mode = "none"
[process]
cwd = "/tmp"
hostname = "stockade"
[syscalls]
profile = "default"
"#;

/// By how much an interpreter, which is some hundred times slower, is asked for less.
const LESS: usize = if cfg!(miri) { 1024 } else { 1 };

fn complaint(toml: &str) -> String {
    match Policy::from_toml(toml) {
        Ok(policy) => panic!("{toml:?} was accepted as {policy:?}"),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_policy_survives_toml(policy in policy()) {
        let text = policy.to_toml().expect("TOML holds every policy");
        let back = Policy::from_toml(&text);
        prop_assert_eq!(back.as_ref(), Ok(&policy), "{}", text);
        prop_assert_eq!(back.expect("compared above").hash(), policy.hash());
    }

    #[test]
    fn a_policy_survives_json(policy in policy()) {
        let text = serde_json::to_string(&policy).expect("JSON holds every policy");
        let back = Policy::from_json(&text);
        prop_assert_eq!(back.as_ref(), Ok(&policy), "{}", text);
    }

    #[test]
    fn different_policies_have_different_hashes(one in policy(), other in policy()) {
        prop_assert_eq!(one == other, one.hash() == other.hash());
    }

    #[test]
    fn any_text_is_a_policy_or_an_error(text in "\\PC{0,64}") {
        let _: Result<_, _> = Policy::from_toml(&text);
        let _: Result<_, _> = Policy::from_json(&text);
        let _: Result<Limit<Bytes>, _> = text.parse();
        let _: Result<Limit<Duration>, _> = text.parse();
        let _: Result<Cpus, _> = text.parse();
    }
}

#[test]
fn nothing_written_is_the_default() {
    assert_eq!(Policy::from_toml(""), Ok(Policy::default()));
    assert_eq!(Policy::from_json("{}"), Ok(Policy::default()));
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    assert_eq!(Policy::from_toml(DOCUMENTED), Ok(Policy::default()));
}

#[test]
fn the_documented_mounts_and_options_are_understood() {
    let text = r#"
        [limits]
        cpus = 1.0
        fuel = 1000000000
        [filesystem]
        mounts = [ { bind = "data", target = "/data", access = "ro" },
                   { tmpfs = "/scratch", size = "16MiB" },
                   { file = "/etc/motd", contents = "hello" } ]
        [process]
        env = { LANG = "C.UTF-8" }"#;
    let policy = Policy::from_toml(text).expect("the documented example");
    let mounts = [
        Mount::read_only("data", "/data"),
        Mount::tmpfs("/scratch", Some(Bytes(16 << 20))),
        Mount::file("/etc/motd", "hello"),
    ];
    assert_eq!(policy.filesystem.mounts, mounts);
    assert_eq!(policy.limits.cpus, Some(Cpus::from_milli(1000)));
    assert_eq!(policy.limits.fuel, Some(1_000_000_000));
    let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
    assert_eq!(policy.process.env, env);
}

#[test]
fn what_is_shown_has_every_key_of_the_documentation() {
    let shown = Policy::default().to_toml().expect("TOML holds the default");
    for line in DOCUMENTED.lines().filter(|line| !line.is_empty()) {
        assert!(shown.lines().any(|shown| shown == line), "no `{line}` in\n{shown}");
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let sections = ["", "[limits]\n", "[filesystem]\n", "[network]\n", "[process]\n"];
    for section in sections.into_iter().chain(["[syscalls]\n", "[[filesystem.mounts]]\n"]) {
        let error = complaint(&format!("{section}memroy = 1"));
        assert!(error.contains("unknown field `memroy`"), "{error}");
    }
    let error = Policy::from_json(r#"{"limits": {"memroy": 1}}"#).expect_err("no such key");
    assert!(error.to_string().contains("`limits.memroy`"), "{error}");
    let error = complaint("best_effort = [\"memroy\"]");
    assert!(error.contains("unknown variant `memroy`"), "{error}");
}

#[test]
fn a_senseless_limit_is_an_error_that_names_key_and_value() {
    let limits = [
        ("memory", "1", "1"),
        ("memory", "\"1023KiB\"", "1023KiB"),
        ("cpu_time", "\"0s\"", "0s"),
        ("wall_time", "\"0s\"", "0s"),
        ("wall_time", "0", "0s"),
        ("wall_time", "\"999us\"", "999us"),
        ("processes", "0", "0"),
        ("open_files", "7", "7"),
        ("file_size", "0", "0"),
        ("disk", "\"63KiB\"", "63KiB"),
        ("cpus", "0.009", "0.009"),
        ("cpus", "4097", "4097"),
        ("fuel", "0", "0"),
    ];
    for (key, written, shown) in limits {
        let error = complaint(&format!("[limits]\n{key} = {written}"));
        assert!(error.starts_with(&format!("`limits.{key} = {shown}` makes no sense")), "{error}");
    }
}

#[test]
fn a_limit_of_the_wrong_type_is_an_error_that_shows_key_and_value() {
    let limits = [
        ("memory", "-1"),
        ("memory", "1.5"),
        ("memory", "\"-1MiB\""),
        ("memory", "\"64QiB\""),
        ("memory", "\"16EiB\""),
        ("memory", "\"\""),
        ("memory", "\"nan\""),
        ("memory", "\"Unlimited\""),
        ("memory", "true"),
        ("cpu_time", "\"forever\""),
        ("wall_time", "nan"),
        ("wall_time", "-1.0"),
        ("wall_time", "1e300"),
        ("wall_time", "\"1000years\""),
        ("processes", "\"many\""),
        ("processes", "1.5"),
        ("cpus", "0"),
        ("cpus", "-1"),
        ("cpus", "nan"),
        ("cpus", "inf"),
        ("cpus", "1e300"),
        ("cpus", "\"unlimited\""),
    ];
    for (key, written) in limits {
        let error = complaint(&format!("[limits]\n{key} = {written}"));
        assert!(error.contains(&format!("{key} = {written}")), "{error}");
    }
}

#[test]
fn a_senseless_json_value_is_an_error_that_names_key_and_value() {
    let error = Policy::from_json(r#"{"limits": {"cpus": -1}}"#).expect_err("no such rate");
    let error = error.to_string();
    assert!(error.contains("`limits.cpus`") && error.contains("`-1`"), "{error}");
    let error = Policy::from_json(r#"{"limits": {"memory": 1}}"#).expect_err("too small");
    assert!(error.to_string().contains("`limits.memory = 1`"), "{error}");
    assert!(Policy::from_json("{} {}").is_err());
}

#[test]
fn a_senseless_path_is_an_error_that_names_key_and_value() {
    for path in ["data", "", "/data/..", "/a/../b", "/a/./b", "/a//b", "/a/", "/a\0b", "/proc/1"] {
        let mut policy = Policy::default();
        policy.filesystem.mounts.push(Mount::tmpfs(path, None));
        let error = policy.validate().expect_err(path).to_string();
        let shown = path.escape_debug();
        assert!(error.contains(&format!("`filesystem.mounts[0].target = {shown}`")), "{error}");
    }
    for path in ["tmp", "", "/tmp/..", "/tmp\0"] {
        let mut policy = Policy::default();
        policy.process.cwd = path.to_owned();
        let error = policy.validate().expect_err(path).to_string();
        let shown = path.escape_debug();
        assert!(error.contains(&format!("`process.cwd = {shown}`")), "{error}");
    }
}

#[test]
fn a_target_is_used_once_and_the_disk_holds_every_tmpfs() {
    let mut policy = Policy::default();
    policy.filesystem.mounts = vec![Mount::tmpfs("/a", None), Mount::file("/a", "")];
    let error = policy.validate().expect_err("`/a` twice").to_string();
    assert!(error.contains("`filesystem.mounts[1].target = /a`"), "{error}");
    policy.filesystem.mounts = vec![Mount::tmpfs("/a", Some(Bytes(64 << 20)))];
    let error = policy.validate().expect_err("nothing is left for /tmp").to_string();
    assert!(error.contains("`limits.disk = 64MiB`"), "{error}");
}

#[test]
fn a_senseless_process_is_an_error_that_names_key_and_value() {
    for (text, key) in [
        ("hostname = \"\"", "process.hostname"),
        ("hostname = \"a b\"", "process.hostname"),
        ("env = { \"\" = \"\" }", "process.env"),
        ("env = { \"A=B\" = \"\" }", "`process.env = A=B`"),
        ("env = { A = \"x\\u0000y\" }", "`process.env.A = x\\0y`"),
    ] {
        let error = complaint(&format!("[process]\n{text}"));
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_mount_is_exactly_one_thing() {
    for mount in [
        "{}",
        "{ bind = \"/a\" }",
        "{ bind = \"/a\", tmpfs = \"/b\" }",
        "{ tmpfs = \"/b\", access = \"ro\" }",
        "{ file = \"/b\" }",
        "{ bind = \"\", target = \"/b\" }",
        "{ tmpfs = \"/b\", size = 4095 }",
        "{ file = \"/b\", contents = [256] }",
    ] {
        complaint(&format!("[filesystem]\nmounts = [{mount}]"));
    }
}

#[test]
fn a_base_is_a_word_or_a_directory() {
    let base = |text: &str| {
        let policy = Policy::from_toml(&format!("[filesystem]\nbase = {text}"));
        policy.map(|policy| policy.filesystem.base)
    };
    let path = || "/srv/root".into();
    for (text, expected) in [
        ("\"system\"", Base::System),
        ("\"empty\"", Base::Empty),
        ("{ rootfs = \"/srv/root\" }", Base::Rootfs(path())),
        ("{ rootfs = \"/srv/root\", writable = false }", Base::Rootfs(path())),
        ("{ rootfs = \"/srv/root\", writable = true }", Base::WritableRootfs(path())),
        ("{ writable = true, rootfs = \"/srv/root\" }", Base::WritableRootfs(path())),
    ] {
        assert_eq!(base(text), Ok(expected), "{text}");
    }
    for (text, named) in [
        ("\"sytem\"", "unknown variant `sytem`"),
        ("\"rootfs\"", "a table with `rootfs`"),
        ("1", "a table with `rootfs`"),
        ("[\"/srv/root\"]", "a table with `rootfs`"),
        ("{}", "`rootfs`"),
        ("{ writable = true }", "`rootfs`"),
        ("{ rootfs = \"/r\", writeable = true }", "unknown field `writeable`"),
        ("{ rootfs = \"/r\", writable = \"yes\" }", "writable"),
        ("{ rootfs = \"\", writable = true }", "filesystem.base.rootfs"),
        ("{ system = {} }", "unknown field `system`"),
    ] {
        let error = complaint(&format!("[filesystem]\nbase = {text}"));
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn a_policy_that_says_nothing_of_writing_hashes_as_before_it_could_be_said() {
    let text = "[filesystem]\nbase = { rootfs = \"/srv/root\" }";
    let policy = Policy::from_toml(text).expect("a policy");
    assert!(!serde_json::to_string(&policy).expect("JSON").contains("writable"));
    let writable = text.replace(" }", ", writable = true }");
    let writable = Policy::from_toml(&writable).expect("a policy");
    assert_ne!(writable.hash(), policy.hash());
}

#[test]
fn unlimited_must_be_written_out() {
    let policy = Policy::from_toml("[limits]\nmemory = \"unlimited\"").expect("a lifted limit");
    assert_eq!(policy.limits.memory, Limit::Unlimited);
    assert_eq!(policy.limits.cpu_time, Policy::default().limits.cpu_time);
}

#[test]
fn a_time_longer_than_64_bits_of_nanoseconds_is_refused() {
    let mut policy = Policy::default();
    policy.limits.wall_time = Duration::MAX.into();
    let error = policy.validate().expect_err("584 billion years").to_string();
    assert!(error.contains("limits.wall_time"), "{error}");
}

#[test]
fn ten_megabytes_are_not_read() {
    let text = " ".repeat(10 << 20);
    let expected = PolicyError::TooLarge { size: 10 << 20, max: MAX_POLICY_TEXT };
    assert_eq!(Policy::from_toml(&text), Err(expected.clone()));
    assert_eq!(Policy::from_json(&text), Err(expected));
}

#[test]
fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
    let size = MAX_POLICY_TEXT / LESS;
    let brackets = "[".repeat(size - 64);
    assert!(Policy::from_json(&brackets).is_err());
    let contents = "{\"filesystem\": {\"mounts\": [{\"file\": \"/a\", \"contents\": ";
    assert!(Policy::from_json(&format!("{contents}{}", &brackets[64..])).is_err());
    complaint(&format!("a = {brackets}"));
    complaint(&format!("[{}]", "a.".repeat(size / 2 - 8)));
}

#[test]
fn many_mounts_are_checked_in_time_that_grows_with_their_number() {
    let mut policy = Policy::default();
    let many = (0..50_000 / LESS).map(|index| Mount::tmpfs(format!("/{index}"), None));
    policy.filesystem.mounts = many.collect();
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn a_hash_does_not_depend_on_how_the_policy_was_written() {
    let toml = Policy::from_toml("[limits]\nmemory = 1048576\ncpu_time = 1.5").expect("TOML");
    let json = r#"{"limits": {"cpu_time": "1500ms", "memory": "1MiB"}}"#;
    let json = Policy::from_json(json).expect("JSON");
    assert_eq!(toml.hash(), json.hash());
    assert_eq!(toml.hash().len(), 64);
    assert_ne!(toml.hash(), Policy::default().hash());
}

#[test]
fn paths_that_are_not_utf8_are_kept_apart() {
    let bound = |name: &[u8]| {
        let mut policy = Policy::default();
        policy.filesystem.mounts.push(Mount::read_only(OsStr::from_bytes(name), "/data"));
        policy
    };
    assert_ne!(bound(b"\xfe").hash(), bound(b"\xff").hash());
    assert_ne!(bound(b"\xfe").hash(), bound("\u{fffd}".as_bytes()).hash());
}

#[test]
fn a_long_value_is_shortened_in_the_message() {
    let mut policy = Policy::default();
    policy.process.cwd = "\"".repeat(100);
    let error = policy.validate().expect_err("no path").to_string();
    assert!(error.contains('…') && error.len() < 240, "{error}");
}

#[test]
fn a_list_never_stands_for_keys_and_values() {
    let json = [
        r#"[["memory"]]"#,
        r#"{"network": ["host"]}"#,
        r#"{"process": ["/", "x", {}]}"#,
        r#"{"syscalls": ["strict"]}"#,
        r#"{"limits": ["1GiB"]}"#,
        r#"{"filesystem": {"mounts": [["/etc", null, null, "/x"]]}}"#,
    ];
    for text in json {
        let error = Policy::from_json(text).expect_err(text).to_string();
        assert!(error.contains("keys and values"), "{text}: {error}");
        let data: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert!(Policy::from_deserializer(data).is_err(), "{text}");
    }
    for text in ["network = [\"host\"]", "limits = [\"1GiB\"]", "syscalls = [\"strict\"]"] {
        let error = Policy::from_toml(text).expect_err(text).to_string();
        assert!(error.contains("keys and values"), "{text}: {error}");
    }
}
