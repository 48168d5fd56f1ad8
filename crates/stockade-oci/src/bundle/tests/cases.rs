//! Fields whose values matter, and what becomes of them.

use std::collections::BTreeSet;

use stockade_core::{Bytes, Cpus, Limit};

use super::*;

#[derive(Clone)]
enum Expect {
    /// The policy of the smallest config, with this change; no note.
    Policy(fn(&mut Policy)),
    /// The same policy, and one note, of this place.
    Note(&'static str, NoteKind),
    /// An error that names this place as refused, and no other.
    Refused(&'static str),
    /// An error of a value that makes no sense, with these words.
    Wrong(&'static str),
}

use Expect::{Note as Noted, Policy as Becomes, Refused, Wrong};
use NoteKind::{Harmless, Opened};

/// A place, a value there, and what comes of it.
type Cases = Vec<(&'static str, Value, Expect)>;

fn same(_: &mut Policy) {}

fn cases() -> Cases {
    [
        of_the_process(),
        of_its_limits(),
        of_linux(),
        of_devices(),
        of_memory(),
        of_processors(),
        of_paths_and_calls(),
    ]
    .concat()
}

fn of_the_process() -> Cases {
    vec![
        ("ociVersion", json!("1.2.0"), Becomes(same)),
        ("ociVersion", json!(null), Wrong("`ociVersion` is missing")),
        ("root", json!(null), Wrong("`root.path` is missing")),
        ("root.path", json!("./rootfs/"), Becomes(same)),
        ("root.path", json!(""), Wrong("`root.path` is missing")),
        (
            "root.path",
            json!("../rootfs"),
            Wrong("`root.path` is \"../rootfs\"; expected a path without `..`"),
        ),
        ("root.path", json!("rootfs\0"), Wrong("a path without NUL")),
        ("root.path", json!("nothing"), Wrong("`root.path`, ")),
        ("root.readonly", json!(false), Refused("root.readonly")),
        ("root.readonly", json!(null), Refused("root.readonly")),
        ("process", json!(null), Wrong("`process` is missing")),
        ("process.terminal", json!(false), Becomes(same)),
        ("process.terminal", json!(true), Refused("process.terminal")),
        ("process.user.umask", json!(0o022), Noted("process.user", Harmless)),
        ("process.user.umask", json!(0o077), Refused("process.user.umask")),
        ("process.args", json!([]), Wrong("`process.args` is missing")),
        ("process.args", json!([""]), Wrong("`process.args[0]` is")),
        ("process.args", json!(["a", "b\0"]), Wrong("`process.args[1]` is")),
        (
            "process.env",
            json!(["A=1", "B=x=y", "C="]),
            Becomes(|policy| {
                let env = [("A", "1"), ("B", "x=y"), ("C", "")];
                policy.process.env = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            }),
        ),
        ("process.env", json!(["A"]), Wrong("`process.env[0]` is \"A\"; expected `NAME=value`")),
        ("process.env", json!(["=A"]), Wrong("`process.env[0]`")),
        ("process.env", json!(["A=\0"]), Wrong("`process.env[0]`")),
        (
            "process.env",
            json!(["A=1", "A=2"]),
            Wrong("`process.env[1]` is \"A\"; expected a name that no"),
        ),
        (
            "process.cwd",
            json!("/a//b/./"),
            Becomes(|policy| policy.process.cwd = "/a/b".to_owned()),
        ),
        ("process.cwd", json!("a"), Wrong("`process.cwd` is \"a\"; expected an absolute path")),
        ("process.cwd", json!("/a/../b"), Wrong("`process.cwd` is")),
        ("process.cwd", json!(null), Wrong("`process.cwd` is missing")),
    ]
}

fn of_its_limits() -> Cases {
    vec![
        ("process.noNewPrivileges", json!(true), Becomes(same)),
        ("process.noNewPrivileges", json!(false), Becomes(same)),
        ("process.oomScoreAdj", json!(500), Becomes(same)),
        ("process.oomScoreAdj", json!(0), Noted("process.oomScoreAdj", Harmless)),
        ("process.oomScoreAdj", json!(-999), Noted("process.oomScoreAdj", Harmless)),
        ("process.oomScoreAdj", json!(501), Refused("process.oomScoreAdj")),
        ("process.apparmorProfile", json!("unconfined"), Becomes(same)),
        ("process.apparmorProfile", json!("docker-default"), Refused("process.apparmorProfile")),
        (
            "process.rlimits",
            json!([
                { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 100 },
                { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 100 },
            ]),
            Wrong("`process.rlimits[1].type` is"),
        ),
        (
            "process.rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 2, "hard": 1 }]),
            Wrong("`process.rlimits[0].soft` is"),
        ),
        (
            "process.rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 2 }]),
            Wrong("`process.rlimits[0].hard` is missing"),
        ),
        (
            "process.rlimits",
            json!([{ "type": "RLIMIT_X", "soft": 2, "hard": 2 }]),
            Wrong("`process.rlimits[0].type` is"),
        ),
        (
            "process.rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 3, "hard": 3 }]),
            Wrong("`limits.open_files = 3` makes no sense"),
        ),
        (
            "hostname",
            json!("job-1"),
            Becomes(|policy| policy.process.hostname = "job-1".to_owned()),
        ),
        ("hostname", json!(""), Becomes(same)),
        ("hostname", json!("a b"), Wrong("process.hostname")),
        ("hooks", json!({}), Becomes(same)),
    ]
}

fn of_linux() -> Cases {
    vec![
        ("linux", json!(null), Noted("linux.namespaces", Opened)),
        ("linux.namespaces", json!([]), Noted("linux.namespaces", Opened)),
        (
            "linux.namespaces",
            json!([{ "type": "network" }, { "type": "network" }]),
            Wrong("`linux.namespaces[1].type` is"),
        ),
        (
            "linux.namespaces",
            json!([{ "type": "net" }]),
            Wrong("`linux.namespaces[0].type` is \"net\""),
        ),
        ("linux.namespaces", json!([{}]), Wrong("`linux.namespaces[0].type` is missing")),
        ("linux.namespaces[].path", json!("/proc/1/ns/net"), Refused("linux.namespaces[0].path")),
    ]
}

fn of_devices() -> Cases {
    vec![
        ("linux.resources", json!({}), Becomes(same)),
        ("linux.resources.devices", json!([{ "allow": false, "access": "rwm" }]), Becomes(same)),
        (
            "linux.resources.devices",
            json!([{ "allow": true, "type": "c", "major": 10, "minor": 229 }]),
            Noted("linux.resources.devices[0]", Harmless),
        ),
        (
            "linux.resources.devices",
            json!([{ "allow": false, "type": "b", "major": 8 }]),
            Becomes(same),
        ),
        (
            "linux.resources.devices",
            json!([{ "allow": false, "type": "b", "major": 1 }]),
            Becomes(same),
        ),
        (
            "linux.resources.devices",
            json!([{ "allow": false, "type": "c", "major": 1, "minor": 8 }]),
            Refused("linux.resources.devices[0]"),
        ),
        (
            "linux.resources.devices",
            json!([{ "allow": false, "minor": 3 }]),
            Refused("linux.resources.devices[0]"),
        ),
    ]
}

fn of_memory() -> Cases {
    vec![
        ("linux.resources.memory", json!({}), Becomes(same)),
        (
            "linux.resources.memory.limit",
            json!(64 << 20),
            Becomes(|policy| policy.limits.memory = Bytes(64 << 20).into()),
        ),
        (
            "linux.resources.memory.limit",
            json!(-1),
            Becomes(|policy| policy.limits.memory = Limit::Unlimited),
        ),
        ("linux.resources.memory.limit", json!(0), Becomes(same)),
        ("linux.resources.memory.limit", json!(-2), Wrong("`linux.resources.memory.limit` is")),
        (
            "linux.resources.memory.limit",
            json!(4096),
            Wrong("`limits.memory = 4KiB` makes no sense"),
        ),
        ("linux.resources.memory.swap", json!(0), Becomes(same)),
        ("linux.resources.memory.swap", json!(-1), Noted("linux.resources.memory.swap", Harmless)),
        ("linux.resources.memory.swap", json!(1 << 30), Refused("linux.resources.memory.swap")),
        (
            "linux.resources.memory",
            json!({ "limit": 256 << 20, "swap": 256 << 20 }),
            Noted("linux.resources.memory.swap", Harmless),
        ),
        (
            "linux.resources.memory",
            json!({ "limit": 256 << 20, "swap": 255 << 20 }),
            Refused("linux.resources.memory.swap"),
        ),
    ]
}

fn of_processors() -> Cases {
    vec![
        (
            "linux.resources.cpu",
            json!({ "quota": 150_000, "period": 100_000 }),
            Becomes(|policy| policy.limits.cpus = Some(Cpus::from_milli(1500))),
        ),
        (
            "linux.resources.cpu.quota",
            json!(50_000),
            Becomes(|policy| policy.limits.cpus = Some(Cpus::from_milli(500))),
        ),
        ("linux.resources.cpu.quota", json!(-1), Becomes(same)),
        ("linux.resources.cpu.quota", json!(100), Wrong("`limits.cpus = 0.001` makes no sense")),
        ("linux.resources.cpu.quota", json!(i64::MAX), Wrong("`linux.resources.cpu.quota` is")),
        // A third, and no more.
        (
            "linux.resources.cpu",
            json!({ "quota": 2, "period": 6 }),
            Becomes(|policy| policy.limits.cpus = Some(Cpus::from_milli(333))),
        ),
        ("linux.resources.cpu.period", json!(1000), Becomes(same)),
        ("linux.resources.cpu.shares", json!(1024), Becomes(same)),
        ("linux.resources.cpu.shares", json!(0), Becomes(same)),
        ("linux.resources.cpu.shares", json!(2048), Noted("linux.resources.cpu.shares", Harmless)),
        ("linux.resources.cpu.shares", json!(2), Refused("linux.resources.cpu.shares")),
        ("linux.resources.pids", json!({}), Becomes(same)),
        (
            "linux.resources.pids.limit",
            json!(5),
            Becomes(|policy| policy.limits.processes = Limit::At(5)),
        ),
        (
            "linux.resources.pids.limit",
            json!(-1),
            Becomes(|policy| policy.limits.processes = Limit::Unlimited),
        ),
        ("linux.resources.pids.limit", json!(0), Wrong("`limits.processes = 0` makes no sense")),
    ]
}

fn of_paths_and_calls() -> Cases {
    vec![
        ("linux.rootfsPropagation", json!("private"), Noted("linux.rootfsPropagation", Harmless)),
        ("linux.rootfsPropagation", json!("slave"), Noted("linux.rootfsPropagation", Harmless)),
        ("linux.rootfsPropagation", json!("shared"), Refused("linux.rootfsPropagation")),
        ("linux.rootfsPropagation", json!("none"), Wrong("`linux.rootfsPropagation` is \"none\"")),
        ("linux.seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW" }), Refused("linux.seccomp")),
        ("linux.seccomp", json!({}), Wrong("`linux.seccomp.defaultAction` is missing")),
        ("linux.maskedPaths", json!(["/proc/kcore", "/proc//keys"]), Becomes(same)),
        ("linux.maskedPaths", json!(["/proc/acpi"]), Becomes(same)),
        ("linux.maskedPaths", json!(["/sys/firmware"]), Noted("linux.maskedPaths[0]", Harmless)),
        ("linux.maskedPaths", json!(["/system"]), Refused("linux.maskedPaths[0]")),
        ("linux.maskedPaths", json!(["/proc/cpuinfo"]), Refused("linux.maskedPaths[0]")),
        ("linux.maskedPaths", json!(["/proc/../etc"]), Wrong("`linux.maskedPaths[0]` is")),
        ("linux.readonlyPaths", json!(["/proc/sys", "/usr", "/sys/x"]), Becomes(same)),
        ("linux.readonlyPaths", json!(["/tmp/x"]), Refused("linux.readonlyPaths[0]")),
        ("linux.readonlyPaths", json!(["/"]), Refused("linux.readonlyPaths[0]")),
        ("linux.readonlyPaths", json!(["/dev/shm"]), Refused("linux.readonlyPaths[0]")),
    ]
}

/// The fields that have a case, here or in `values`.
pub(super) fn covered() -> BTreeSet<&'static str> {
    let elsewhere = ["mounts", "mounts[].destination"];
    cases().into_iter().map(|(place, ..)| place).chain(elsewhere).collect()
}

#[test]
fn values_become_what_the_list_says() {
    let scratch = Scratch::new();
    let bare = accepted(scratch.load(&smallest())).policy;
    for (place, value, expect) in cases() {
        let result = scratch.load(&with(place, value.clone()));
        let case = format!("{place} = {value}");
        match expect {
            Becomes(change) => {
                let bundle = result.unwrap_or_else(|error| panic!("{case}: {error}"));
                let mut expected = bare.clone();
                change(&mut expected);
                assert_eq!(bundle.policy, expected, "{case}");
                assert_eq!(bundle.notes, [], "{case}");
            }
            Noted(path, kind) => {
                let bundle = result.unwrap_or_else(|error| panic!("{case}: {error}"));
                let notes: Vec<_> =
                    bundle.notes.iter().map(|note| (note.path.as_str(), note.kind)).collect();
                assert_eq!(notes, [(path, kind)], "{case}");
                let mode = if kind == Opened { NetworkMode::Host } else { NetworkMode::Loopback };
                assert_eq!(bundle.policy.network.mode, mode, "{case}");
            }
            Refused(path) => assert_eq!(refused(result), [path], "{case}"),
            Wrong(words) => {
                let error = result.map(|_| ()).expect_err(&case);
                let kinds = [ErrorKind::InvalidPolicy, ErrorKind::NotFound];
                assert!(kinds.contains(&error.kind()), "{case}: {error}");
                assert!(error.to_string().contains(words), "{case}: {error}");
                assert!(error.hint().is_some(), "{case}");
            }
        }
    }
}

#[test]
fn a_value_that_a_policy_does_not_take_is_traced_to_the_config() {
    let scratch = Scratch::new();
    for (place, value, origin) in [
        ("linux.resources.memory.limit", json!(1), "`linux.resources.memory.limit`"),
        ("linux.resources.pids.limit", json!(0), "`linux.resources.pids.limit`"),
        ("linux.resources.cpu.quota", json!(1), "`linux.resources.cpu.quota`"),
        ("hostname", json!("?"), "`hostname`"),
    ] {
        let error = scratch.load(&with(place, value)).expect_err("it makes no sense");
        assert!(error.hint().is_some_and(|hint| hint.contains(origin)), "{:?}", error.hint());
    }
}
