//! What depends on more than one value: the caller's options, links, two limits of one thing.

use std::time::Duration;

use stockade_core::{Base, Limit};

use super::*;
use NoteKind::{Harmless, NotEnforced};

#[test]
fn what_a_caller_allows_is_accepted_with_a_note() {
    let scratch = Scratch::new();
    let options = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        options
    };
    let mut config = with("process.terminal", json!(true));
    let allowed = options(|options| options.terminal_is_streams = true);
    noted(&accepted(scratch.load_with(&config, &allowed)), "process.terminal", Harmless);

    config = with("root.readonly", json!(false));
    let allowed = options(|options| options.writable_root_is_ephemeral = true);
    let bundle = accepted(scratch.load_with(&config, &allowed));
    noted(&bundle, "root.readonly", Harmless);
    let root = scratch.0.join("rootfs");
    assert_eq!(bundle.policy.filesystem.base, Base::WritableRootfs(root));

    config = with("linux.seccomp.defaultAction", json!("SCMP_ACT_ERRNO"));
    let allowed = options(|options| options.seccomp_is_own_profile = true);
    noted(&accepted(scratch.load_with(&config, &allowed)), "linux.seccomp", NotEnforced);
    // Somebody who decides about a call is part of what the program relies on.
    for action in ["SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE"] {
        put(&mut config, "linux.seccomp.syscalls[0].action", json!(action));
        let paths = refused(scratch.load_with(&config, &allowed));
        assert_eq!(paths, ["linux.seccomp.syscalls[0].action"]);
    }
    config = with("linux.seccomp.defaultAction", json!("SCMP_ACT_TRACE"));
    let paths = refused(scratch.load_with(&config, &allowed));
    assert_eq!(paths, ["linux.seccomp.defaultAction"]);
}

#[test]
fn a_root_that_is_written_to_has_no_path_that_is_not() {
    let scratch = Scratch::new();
    let allowed = Options { writable_root_is_ephemeral: true, ..Options::default() };
    let options = json!(["rbind", "ro"]);
    let bind =
        json!({ "destination": "/data", "type": "bind", "source": "rootfs", "options": options });
    for (readonly, expected) in [(true, &[][..]), (false, &["linux.readonlyPaths[0]"])] {
        let mut config = with("root.readonly", json!(readonly));
        put(&mut config, "mounts", json!([bind]));
        put(&mut config, "linux.readonlyPaths", json!(["/etc", "/proc/sys", "/dev/x", "/data/x"]));
        match scratch.load_with(&config, &allowed) {
            Ok(bundle) => assert!(expected.is_empty(), "{:?}", bundle.notes),
            refusal => assert_eq!(refused(refusal), expected),
        }
    }
}

#[test]
fn a_modules_root_is_read_only_all_the_same() {
    let scratch = Scratch::new();
    let allowed = Options { writable_root_is_ephemeral: true, ..Options::default() };
    let root = scratch.0.join("rootfs");
    fs::write(root.join("job.wasm"), b"\0asm").expect("there is room");
    let mut config = with("root.readonly", json!(false));
    put(&mut config, "process.args", json!(["/job.wasm"]));
    let bundle = accepted(scratch.load_with(&config, &allowed));
    assert_eq!(bundle.policy.filesystem.base, Base::Rootfs(root));
    let mut notes = bundle.notes.iter().filter(|note| note.path == "root.readonly");
    assert!(
        notes.next_back().expect("a note").reason.starts_with("a module's root"),
        "{:?}",
        bundle.notes
    );
}

#[test]
fn a_root_may_be_named_by_an_absolute_path_and_not_lead_out() {
    use std::os::unix::fs::symlink;

    let scratch = Scratch::new();
    let outside = Scratch::new();
    let inner = scratch.0.join("rootfs");
    let root = |path: &str| {
        scratch.load(&with("root.path", json!(path))).map(|b| b.policy.filesystem.base)
    };
    let rootfs = |path: &Path| Base::Rootfs(path.to_owned());
    let absolute = outside.0.join("rootfs");
    let named = root(absolute.to_str().expect("it is ASCII"));
    assert_eq!(named.expect("it is there"), rootfs(&absolute));

    symlink("rootfs", scratch.0.join("inside")).expect("there is room");
    assert_eq!(root("inside").expect("it stays inside"), rootfs(&inner));
    symlink(&outside.0, scratch.0.join("outside")).expect("there is room");
    for path in ["outside", "outside/rootfs"] {
        let error = root(path).expect_err("it leads out");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().ends_with("leads out of the bundle"), "{error}");
    }
    symlink("loop", scratch.0.join("loop")).expect("there is room");
    assert_eq!(root("loop").expect_err("it leads nowhere").kind(), ErrorKind::Io);
    fs::write(scratch.0.join("file"), "").expect("there is room");
    let error = root("file").expect_err("it is a file");
    assert!(error.to_string().ends_with("is not a directory"), "{error}");
    let error = root("nothing").expect_err("it is not there");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn what_one_process_may_have_and_all_may_have_are_joined() {
    let scratch = Scratch::new();
    let config = with(
        "process.rlimits",
        json!([
            { "type": "RLIMIT_NPROC", "soft": 20, "hard": 30 },
            { "type": "RLIMIT_CPU", "soft": 3, "hard": 3 },
        ]),
    );
    let limits = accepted(scratch.load(&config)).policy.limits;
    assert_eq!(limits.processes, Limit::At(20));
    assert_eq!(limits.cpu_time, Duration::from_secs(3).into());
    let at = |limit: Value| {
        let mut config =
            with("process.rlimits", json!([{ "type": "RLIMIT_NPROC", "soft": 20, "hard": 20 }]));
        put(&mut config, "linux.resources.pids.limit", limit);
        accepted(scratch.load(&config)).policy.limits.processes
    };
    assert_eq!(at(json!(10)), Limit::At(10));
    assert_eq!(at(json!(30)), Limit::At(20));
    assert_eq!(at(json!(-1)), Limit::At(20));
}
