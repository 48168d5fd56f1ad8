mod places;
mod settings;

use std::fs;

use oci_spec::runtime::{Process, Spec};
use serde_json::{Value, json};

use super::*;
use crate::sys;
use crate::tests::{UNSHARE, inside, is_inside, is_root, skip, status};

/// A process of a configuration: what is said, and what has to be.
fn process(said: Value) -> Process {
    let mut all = json!({"user": {"uid": 0, "gid": 0}, "cwd": "/", "oomScoreAdj": null});
    let (Some(all_fields), Value::Object(said)) = (all.as_object_mut(), said) else {
        panic!("an object is said");
    };
    all_fields.extend(said);
    serde_json::from_value(all).expect("a process")
}

fn spec(said: Value) -> Spec {
    let mut all = json!({"ociVersion": "1.0.2", "root": {"path": "rootfs"}});
    let (Some(all_fields), Value::Object(said)) = (all.as_object_mut(), said) else {
        panic!("an object is said");
    };
    all_fields.extend(said);
    serde_json::from_value(all).expect("a configuration")
}

fn refusal(process: &Process) -> String {
    match Identity::new(process, Walls::Config) {
        Ok(_) => panic!("it is not refused"),
        Err(failure) => failure.to_string(),
    }
}

/// Takes it, in a process of its own.
fn take(said: Value, walls: Walls) {
    let identity = Identity::new(&process(said), walls).expect("it may be");
    identity.take().expect("it is taken");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_done() {
    let limit = |soft: u64, hard: u64| json!({"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard});
    for (said, words) in [
        (json!({"user": {"uid": u32::MAX, "gid": 0}}), "process.user.uid"),
        (json!({"user": {"uid": 0, "gid": u32::MAX}}), "process.user.gid"),
        (json!({"user": {"uid": 0, "gid": 0, "additionalGids": [1, u32::MAX]}}), "additionalGids"),
        (json!({"user": {"uid": 0, "gid": 0, "umask": 0o1000}}), "umask"),
        (json!({"rlimits": [limit(2, 1)]}), "RLIMIT_NOFILE has a soft limit of 2"),
        (json!({"rlimits": [limit(1, 1), limit(1, 1)]}), "RLIMIT_NOFILE twice"),
        (json!({"oomScoreAdj": 1001}), "oomScoreAdj"),
        (json!({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}), "ioPriority"),
        (json!({"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}), "nice"),
        (json!({"scheduler": {"policy": "SCHED_FIFO", "nice": 1}}), "nice"),
        (json!({"scheduler": {"policy": "SCHED_OTHER", "priority": 1}}), "priority"),
        (json!({"scheduler": {"policy": "SCHED_RR", "priority": -1}}), "negative"),
        (json!({"scheduler": {"policy": "SCHED_RR", "runtime": 1}}), "runtime"),
    ] {
        let refusal = refusal(&process(said.clone()));
        assert!(refusal.contains(words), "{said}: {refusal}");
    }
}

const CAPABILITIES: &str = "identity::tests::capabilities_are_those_of_the_configuration";

#[test]
fn capabilities_are_those_of_the_configuration() {
    if !is_root(CAPABILITIES) {
        return;
    }
    inside(CAPABILITIES, &["env"], || {
        take(
            json!({
                "user": {"uid": 1234, "gid": 4321, "additionalGids": [7, 9], "umask": 0o027},
                "capabilities": {
                    "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID"],
                    "permitted": ["CAP_KILL", "CAP_CHOWN"],
                    "effective": ["CAP_KILL"],
                    "inheritable": ["CAP_KILL", "CAP_CHOWN"],
                    "ambient": ["CAP_CHOWN"],
                },
            }),
            Walls::Config,
        );
        assert_eq!(status("Uid"), "1234 1234 1234 1234");
        assert_eq!(status("Gid"), "4321 4321 4321 4321");
        assert_eq!(status("Groups"), "7 9");
        assert_eq!(status("Umask"), "0027");
        assert_eq!(status("CapBnd"), "00000000000000a1");
        assert_eq!(status("CapPrm"), "0000000000000021");
        assert_eq!(status("CapEff"), "0000000000000020");
        assert_eq!(status("CapInh"), "0000000000000021");
        assert_eq!(status("CapAmb"), "0000000000000001");
        assert_eq!(status("NoNewPrivs"), "0");
        assert!(!thread::get_keep_capabilities().expect("it can be asked"));
    });
}

const NONE: &str = "identity::tests::full_walls_leave_no_capability_and_no_way_to_one";

#[test]
fn full_walls_leave_no_capability_and_no_way_to_one() {
    if !is_root(NONE) {
        return;
    }
    inside(NONE, &["env"], || {
        let all = json!(["CAP_SYS_ADMIN", "CAP_KILL"]);
        let sets = json!({
            "bounding": all, "permitted": all, "effective": all, "inheritable": all, "ambient": all,
        });
        let said = json!({"capabilities": sets, "noNewPrivileges": false});
        let identity = Identity::new(&process(said.clone()), Walls::Full).expect("it may be");
        assert!(identity.no_new_privileges());
        identity.take().expect("it is taken");
        for set in ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"] {
            assert_eq!(status(set), "0000000000000000", "{set}");
        }
        assert_eq!(status("NoNewPrivs"), "1");
        assert_eq!(status("Uid"), "0 0 0 0");
        assert_eq!(status("Groups"), "", "none of the groups of before");
        assert_eq!(status("Umask"), "0022");
    });
}

const UNHELD: &str = "identity::tests::a_capability_that_is_not_held_is_named";

#[test]
fn a_capability_that_is_not_held_is_named() {
    if !is_root(UNHELD) {
        return;
    }
    inside(UNHELD, &["env"], || {
        take(json!({"capabilities": {"bounding": ["CAP_KILL"]}}), Walls::Config);
        let sets = json!({"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]});
        let identity = Identity::new(&process(json!({"capabilities": sets})), Walls::Config)
            .expect("it may be");
        // The groups are set already, and may not be set again.
        let known = identity.capabilities.bound().expect("what is not there needs no right");
        let failure = identity.capabilities.apply(known).expect_err("it is not held").to_string();
        assert!(failure.contains("unable to apply caps (CAP_KILL not held)"), "{failure}");
    });
}

const DENIED: &str = "identity::tests::groups_that_may_not_be_set_are_left_when_none_are_asked_for";

#[test]
fn groups_that_may_not_be_set_are_left_when_none_are_asked_for() {
    inside(DENIED, &[UNSHARE, "--user", "--map-root-user"], || {
        let asked = json!({"user": {"uid": 0, "gid": 0, "additionalGids": [5]}});
        let identity = Identity::new(&process(asked), Walls::Config).expect("it may be");
        let failure = identity.take().expect_err("it may not be set").to_string();
        assert!(failure.contains("rootless"), "{failure}");
    });
}

const UNMAPPED: &str = "identity::tests::a_user_that_is_not_mapped_is_said_to_be_so";

#[test]
fn a_user_that_is_not_mapped_is_said_to_be_so() {
    inside(UNMAPPED, &[UNSHARE, "--user", "--map-root-user"], || {
        let none = json!({"user": {"uid": 5, "gid": 0}});
        let identity = Identity::new(&process(none), Walls::Config).expect("it may be");
        let failure = identity.take().expect_err("5 is nobody here").to_string();
        assert!(failure.contains("uid 5 is not mapped"), "{failure}");
    });
}

const ROOTLESS: &str = "identity::tests::a_rootless_user_takes_it_too";

#[test]
fn a_rootless_user_takes_it_too() {
    inside(ROOTLESS, &[UNSHARE, "--user", "--map-root-user"], || {
        let sets = json!({"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]});
        // Less than what it has may only be set with the host's rights.
        let said = json!({"capabilities": sets, "oomScoreAdj": -1000});
        let identity = Identity::new(&process(said), Walls::Config).expect("it may be");
        identity.limits().expect("what may not be set is let be");
        identity.take().expect("it is taken");
        assert_eq!(status("CapPrm"), "0000000000000020");
        assert_eq!(status("CapBnd"), "0000000000000020");
    });
}

const LIMITS: &str = "identity::tests::limits_are_set";

#[test]
fn limits_are_set() {
    inside(LIMITS, &["env"], || {
        let said = json!({
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 100},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            ],
            "oomScoreAdj": 777,
            "scheduler": {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_RESET_ON_FORK"]},
            "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 4},
        });
        let identity = Identity::new(&process(said), Walls::Config).expect("it may be");
        identity.limits().expect("they are set");
        let files = process::getrlimit(Resource::Nofile);
        assert_eq!((files.current, files.maximum), (Some(64), Some(100)));
        assert_eq!(process::getrlimit(Resource::Core).maximum, Some(0));
        let score = fs::read_to_string("/proc/self/oom_score_adj").expect("a procfs");
        assert_eq!(score.trim(), "777");
        let schedule = sys::process::schedule().expect("it can be asked");
        assert_eq!((schedule.policy, schedule.nice, schedule.flags & 1), (3, 5, 1));
        assert_eq!(sys::process::io_priority().expect("it can be asked"), (3, 4));
    });
}

const RAISED: &str = "identity::tests::a_limit_that_may_not_be_raised_is_named";

#[test]
fn a_limit_that_may_not_be_raised_is_named() {
    inside(RAISED, &[UNSHARE, "--user"], || {
        let limit = |number: u64| {
            let one = json!({"type": "RLIMIT_NOFILE", "soft": number, "hard": number});
            let said = process(json!({"rlimits": [one]}));
            Identity::new(&said, Walls::Config).expect("it may be").limits()
        };
        limit(100).expect("lower is always right");
        let failure = limit(101).expect_err("higher is not").to_string();
        let words =
            "error setting rlimit type RLIMIT_NOFILE to soft 101, hard 101 (they are 100 and 100)";
        assert!(failure.starts_with(words), "{failure}");
    });
}

const PERSONALITY: &str = "identity::tests::a_personality_is_set";

#[test]
fn a_personality_is_set() {
    inside(PERSONALITY, &["env"], || {
        personality(&spec(json!({"linux": {"personality": {"domain": "LINUX32"}}})))
            .expect("it is set");
        assert_eq!(sys::process::personality(u32::MAX), Ok(8));
        let flags = json!({"linux": {"personality": {"domain": "LINUX", "flags": ["X"]}}});
        personality(&spec(flags)).expect_err("no flag is known");
    });
}

const LABELS: &str = "identity::tests::labels_without_their_module_are_an_error";

#[test]
fn labels_without_their_module_are_an_error() {
    labels(&process(json!({"apparmorProfile": "", "selinuxLabel": ""}))).expect("none is said");
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if modules.contains("apparmor") || modules.contains("selinux") {
        skip(LABELS, "there is a module");
        return;
    }
    for (field, words) in [
        ("apparmorProfile", "apparmor: config provided but apparmor not supported"),
        ("selinuxLabel", "selinux: config provided but selinux not supported"),
    ] {
        let failure = labels(&process(json!({field: "some:label"}))).expect_err("none is there");
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

const KEYRING: &str = "identity::tests::the_session_keyring_is_another_one";

#[test]
fn the_session_keyring_is_another_one() {
    inside(KEYRING, &["env"], || {
        keyring("identity-test").expect("it is joined, or there are none");
        let Ok(keys) = fs::read_to_string("/proc/keys") else {
            skip(KEYRING, "the kernel has no keys to look at");
            return;
        };
        let ours = keys.lines().find(|line| line.contains("_ses.identity-test"));
        let ours = ours.unwrap_or_else(|| panic!("it is not there:\n{keys}"));
        let permissions = ours.split_whitespace().nth(4).expect("the permissions");
        let permissions = u32::from_str_radix(permissions, 16).expect("a number");
        assert_eq!(permissions & 0x0008_0000, 0x0008_0000, "its user may search it: {ours}");
    });
}

const STDIO: &str = "identity::tests::standard_streams_are_the_users";

#[test]
fn standard_streams_are_the_users() {
    use std::os::unix::fs::MetadataExt as _;
    if !is_root(STDIO) {
        return;
    }
    let folder = std::env::temp_dir().join("stockade-null");
    // Its standard streams are pipes of the test, but for the first.
    inside(STDIO, &["env"], || {
        let null = folder.with_extension(std::process::id().to_string());
        let kind = rustix::fs::FileType::CharacterDevice;
        let device = rustix::fs::makedev(1, 3);
        // One that is not the host's, should it be given away.
        rustix::fs::mknodat(rustix::fs::CWD, &null, kind, Mode::from_raw_mode(0o666), device)
            .expect("a device");
        let null_file = fs::File::open(&null).expect("a device");
        fs::remove_file(&null).expect("what this test made");
        rustix::stdio::dup2_stdin(&null_file).expect("it is the first");
        take(json!({"user": {"uid": 1234, "gid": 1234}}), Walls::Config);
        assert_eq!(null_file.metadata().expect("it is open").uid(), 0, "it is everybody's");
        let owner = |path: &str| fs::metadata(path).expect("it is open").uid();
        assert_eq!(owner("/proc/thread-self/fd/1"), 1234);
    });
}
