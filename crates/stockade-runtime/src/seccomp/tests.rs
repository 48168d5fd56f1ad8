mod kernel;

use serde_json::{Value, json};

use super::*;

/// A config as engines write it: a list of what is allowed, some of it by arguments.
const FIXTURE: &str = include_str!("fixture.json");

fn parsed(config: Value) -> LinuxSeccomp {
    serde_json::from_value(config).expect("it is a config")
}

fn filter(config: Value) -> Filter {
    compile(&parsed(config)).expect("it compiles")
}

#[track_caller]
fn refused(config: Value, expected: &str) {
    let error = compile(&parsed(config)).expect_err("it is refused").to_string();
    assert!(error.contains(expected), "{error}");
}

fn one_rule(action: &str, names: &[&str]) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/run/agent.sock",
        "syscalls": [{ "names": names, "action": action }],
    })
}

/// A config with every action and every operator.
fn of_every_kind() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 95,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_MIPS64"],
        "syscalls": [
            { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["ptrace"], "action": "SCMP_ACT_ERRNO" },
            { "names": ["chroot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
            { "names": ["mount"], "action": "SCMP_ACT_TRACE", "errnoRet": 7 },
            { "names": ["umount2"], "action": "SCMP_ACT_TRACE" },
            { "names": ["reboot"], "action": "SCMP_ACT_KILL" },
            { "names": ["swapon"], "action": "SCMP_ACT_KILL_THREAD" },
            { "names": ["swapoff"], "action": "SCMP_ACT_KILL_PROCESS" },
            { "names": ["acct"], "action": "SCMP_ACT_TRAP" },
            { "names": ["sync"], "action": "SCMP_ACT_LOG" },
            {
                "names": ["mmap"],
                "action": "SCMP_ACT_ALLOW",
                "args": [
                    { "index": 0, "value": 1, "op": "SCMP_CMP_NE" },
                    { "index": 1, "value": 2, "op": "SCMP_CMP_LT" },
                    { "index": 2, "value": 3, "op": "SCMP_CMP_LE" },
                    { "index": 3, "value": 4, "op": "SCMP_CMP_EQ" },
                    { "index": 4, "value": 5, "op": "SCMP_CMP_GE" },
                    { "index": 5, "value": 18446744073709551615_u64, "op": "SCMP_CMP_GT" },
                ],
            },
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [
                    { "index": 0, "value": 240, "valueTwo": 16, "op": "SCMP_CMP_MASKED_EQ" },
                    { "index": 1, "value": 15, "op": "SCMP_CMP_MASKED_EQ" },
                ],
            },
        ],
    })
}

#[test]
fn a_config_means_the_rules_that_it_spells() {
    let on = |argument, comparison| Condition { argument, comparison };
    let ordered = vec![
        on(0, Comparison::NotEqual(1)),
        on(1, Comparison::Less(2)),
        on(2, Comparison::AtMost(3)),
        on(3, Comparison::Equal(4)),
        on(4, Comparison::AtLeast(5)),
        on(5, Comparison::Greater(u64::MAX)),
    ];
    let masked = vec![
        on(0, Comparison::Masked { mask: 240, value: 16 }),
        on(1, Comparison::Masked { mask: 15, value: 0 }),
    ];
    let rules: [(&str, Action, Vec<Condition>); 12] = [
        ("read write", Action::Allow, vec![]),
        ("ptrace", Action::Errno(libc::EPERM as u16), vec![]),
        ("chroot", Action::Errno(38), vec![]),
        ("mount", Action::Trace(7), vec![]),
        ("umount2", Action::Trace(libc::EPERM as u16), vec![]),
        ("reboot", Action::KillThread, vec![]),
        ("swapon", Action::KillThread, vec![]),
        ("swapoff", Action::KillProcess, vec![]),
        ("acct", Action::Trap, vec![]),
        ("sync", Action::Log, vec![]),
        ("mmap", Action::Allow, ordered),
        ("clone", Action::Allow, masked),
    ];
    let rules = rules.map(|(names, action, conditions)| Rule {
        names: names.split(' ').map(str::to_owned).collect(),
        action,
        conditions,
    });
    let expected = Ruleset { default: Action::Errno(95), rules: rules.into() };
    let expected = expected.compile().expect("it compiles");
    assert_eq!(&*filter(of_every_kind()).bytes, expected);
}

#[test]
fn flags_are_those_of_the_kernel() {
    let flags = |names: &[&str], action: &str| {
        let mut config = one_rule(action, &["mount"]);
        config["flags"] = json!(names);
        filter(config).flags
    };
    let [log, spec, tsync, wait] = [
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ];
    assert_eq!(flags(&[], "SCMP_ACT_LOG"), 0);
    assert_eq!(flags(&[log], "SCMP_ACT_LOG"), 2);
    assert_eq!(flags(&[spec, log], "SCMP_ACT_LOG"), 6);
    // One thread has nothing to synchronize, and without notifications there is nothing to wait for.
    assert_eq!(flags(&[tsync, wait], "SCMP_ACT_LOG"), 0);
    assert_eq!(flags(&[tsync, wait], "SCMP_ACT_NOTIFY"), 32 | 8);
}

#[test]
fn whoever_is_to_be_notified_must_be_named() {
    let mut config = one_rule("SCMP_ACT_NOTIFY", &["mount"]);
    config["listenerMetadata"] = json!("of mount");
    let expected =
        Listener { path: "/run/agent.sock".into(), metadata: Some("of mount".to_owned()) };
    assert_eq!(filter(config.clone()).listener, Some(expected));
    for nobody in [json!(""), Value::Null] {
        config["listenerPath"] = nobody;
        refused(config.clone(), "listenerPath is missing");
    }
    // Nobody asks an agent that nothing is left to.
    assert_eq!(filter(one_rule("SCMP_ACT_ERRNO", &["mount"])).listener, None);
}

#[test]
fn what_hands_the_listener_over_cannot_be_left_to_the_agent() {
    for name in ["write", "sendmsg"] {
        let expected = format!("SCMP_ACT_NOTIFY cannot be used for the {name} syscall");
        refused(one_rule("SCMP_ACT_NOTIFY", &["mount", name]), &expected);
    }
    let all = json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent.sock" });
    refused(all, "SCMP_ACT_NOTIFY cannot be used as default action");
}

#[test]
fn what_makes_no_sense_is_named() {
    refused(one_rule("SCMP_ACT_ERRNO", &[""]), "empty string is not a valid syscall");
    for index in [6, 256] {
        let mut config = one_rule("SCMP_ACT_ERRNO", &["mount"]);
        config["syscalls"][0]["args"] =
            json!([{ "index": index, "value": 0, "op": "SCMP_CMP_EQ" }]);
        refused(config, &index.to_string());
    }
    let mut config = one_rule("SCMP_ACT_ERRNO", &["mount"]);
    config["syscalls"][0]["args"] = json!([{ "index": 0, "value": 0, "op": "SCMP_CMP_EQ" }]);
    for (at, value) in [
        ("/defaultAction", "SCMP_ACT_PONDER"),
        ("/syscalls/0/action", "SCMP_ACT_PONDER"),
        ("/syscalls/0/args/0/op", "SCMP_CMP_RESEMBLES"),
        ("/architectures", "SCMP_ARCH_ABACUS"),
        ("/flags", "SECCOMP_FILTER_FLAG_PIRATE"),
    ] {
        let mut config = config.clone();
        config["architectures"] = json!(["SCMP_ARCH_NATIVE"]);
        config["flags"] = json!([]);
        let place = config.pointer_mut(at).expect("it is there");
        *place = if place.is_array() { json!([value]) } else { json!(value) };
        let error = serde_json::from_value::<LinuxSeccomp>(config).expect_err("it is unknown");
        assert!(error.to_string().contains(value), "{error}");
    }
}

#[test]
fn unknown_calls_are_passed_over() {
    let known = filter(one_rule("SCMP_ACT_ERRNO", &["mount"])).bytes;
    let both = filter(one_rule("SCMP_ACT_ERRNO", &["open_the_pod_bay_doors", "mount"])).bytes;
    assert_eq!(known, both);
}

#[test]
fn the_walls_are_stockades_default_profile() {
    let expected = stockade_seccomp::bytes(Profile::Default, Sockets::Inet, true);
    let walls = walls();
    assert_eq!((walls.bytes, walls.flags, walls.listener), (expected, 0, None));
}
