//! Values that have names, one by one: namespaces, resource limits, mounts, options, paths.

use stockade_core::{Bytes, Limit, Mount};

use super::*;
use crate::bundle::values::{MASKED, NAMESPACES, OPTIONS, PLACES, RLIMITS};

const UNLIMITED: u64 = u64::MAX;

#[test]
fn namespaces_are_new_whether_asked_for_or_not() {
    let scratch = Scratch::new();
    let all: Vec<Value> = NAMESPACES.iter().map(|row| json!({ "type": row.name })).collect();
    let bundle = accepted(scratch.load(&with("linux.namespaces", json!(all))));
    assert_eq!(bundle.policy, accepted(scratch.load(&smallest())).policy);
    let time = format!("linux.namespaces[{}]", all.len() - 1);
    noted(&bundle, &time, NoteKind::Harmless);
    assert_eq!(bundle.notes.len(), 1);
}

#[test]
fn resource_limits_go_as_their_rows_say() {
    let scratch = Scratch::new();
    for row in RLIMITS {
        let load = |soft: u64, hard: u64| {
            let limit = json!([{ "type": row.name, "soft": soft, "hard": hard }]);
            scratch.load(&with("process.rlimits", limit))
        };
        let bare = accepted(scratch.load(&smallest())).policy.limits;
        match row.treatment {
            Treatment::Honoured => {
                let bundle = accepted(load(100, 100));
                assert_ne!(bundle.policy.limits, bare, "{}", row.name);
                assert_eq!(bundle.notes, []);
                noted(&accepted(load(100, 200)), "process.rlimits[0]", NoteKind::Harmless);
                let limits = accepted(load(UNLIMITED, UNLIMITED)).policy.limits;
                let open = [
                    limits.open_files == Limit::Unlimited,
                    limits.processes == Limit::Unlimited,
                    limits.file_size == Limit::Unlimited,
                    limits.cpu_time == Limit::Unlimited,
                ];
                assert_eq!(open.into_iter().filter(|open| *open).count(), 1, "{}", row.name);
            }
            Treatment::Harmless => {
                let bundle = accepted(load(0, 0));
                noted(&bundle, "process.rlimits[0]", NoteKind::Harmless);
                assert_eq!(bundle.policy.limits, bare);
            }
            _ => {
                assert_eq!(refused(load(100, UNLIMITED)), ["process.rlimits[0]"], "{}", row.name);
                let bundle = accepted(load(UNLIMITED, UNLIMITED));
                noted(&bundle, "process.rlimits[0]", NoteKind::Harmless);
                assert_eq!(bundle.policy.limits, bare);
            }
        }
    }
    let signals = json!([{ "type": "RLIMIT_SIGPENDING", "soft": 1024, "hard": 1024 }]);
    accepted(scratch.load(&with("process.rlimits", signals)));
}

fn mount(scratch: &Scratch, mount: Value) -> Result<Bundle> {
    scratch.load(&with("mounts", json!([mount])))
}

fn tmpfs(scratch: &Scratch, options: &[&str]) -> Result<Bundle> {
    mount(scratch, json!({ "destination": "/data", "type": "tmpfs", "options": options }))
}

#[test]
fn places_of_the_sandboxs_own_are_left_to_it() {
    let scratch = Scratch::new();
    for (place, kinds, _) in PLACES {
        let bound = json!({ "destination": place, "source": place, "options": ["rbind", "ro"] });
        let mut all = vec![bound];
        all.extend(kinds.iter().map(|kind| json!({ "destination": place, "type": kind })));
        all.push(json!({
            "destination": format!("{place}/"), "type": kinds[0], "options": ["noexec", "ro"],
        }));
        for asked in all {
            let bundle = accepted(mount(&scratch, asked));
            assert_eq!(bundle.policy.filesystem.mounts, []);
            assert_eq!(bundle.notes.len(), 1, "{:?}", bundle.notes);
            noted(&bundle, "mounts[0]", NoteKind::Harmless);
        }
        let other = json!({ "destination": place, "type": "ext4" });
        assert_eq!(refused(mount(&scratch, other)).len(), 1);
    }
    for (destination, kind) in
        [("/data", "proc"), ("/x", "sysfs"), ("/dev", "devtmpfs"), ("/a", ""), ("/a", "bind")]
    {
        let other = json!({ "destination": destination, "type": kind });
        assert_eq!(refused(mount(&scratch, other)).len(), 1, "{destination} {kind}");
    }
    for destination in ["/", "/proc/sys", "/dev/null", "/dev/shm/x"] {
        let other = json!({ "destination": destination, "type": "tmpfs" });
        assert_eq!(refused(mount(&scratch, other)), ["mounts[0]"], "{destination}");
    }
}

#[test]
fn options_go_as_their_rows_say() {
    let scratch = Scratch::new();
    for row in OPTIONS.iter().filter(|row| !["bind", "rbind", "size="].contains(&row.name)) {
        let option =
            if row.name.ends_with('=') { format!("{}1", row.name) } else { row.name.to_owned() };
        let result = tmpfs(&scratch, &[&option]);
        match row.treatment {
            Treatment::Honoured | Treatment::Harmless => {
                assert_eq!(accepted(result).notes, [], "{option}");
            }
            Treatment::NotEnforced => {
                noted(&accepted(result), "mounts[0].options[0]", NoteKind::NotEnforced);
            }
            Treatment::Refused => assert_eq!(refused(result), ["mounts[0].options[0]"], "{option}"),
            _ => assert_eq!(refused(result), ["mounts[0]"], "{option}"),
        }
    }
    for option in ["nr_inodes=1", "subset=pid", "Z", "size", "ro=1", ""] {
        assert_eq!(refused(tmpfs(&scratch, &[option])), ["mounts[0].options[0]"], "{option:?}");
    }
}

#[test]
fn sizes_of_directories_in_memory_are_added_to_the_disk() {
    let scratch = Scratch::new();
    let bundle = accepted(tmpfs(&scratch, &["size=1m", "mode=755", "size=2m"]));
    assert_eq!(bundle.policy.filesystem.mounts, [Mount::tmpfs("/data", Some(Bytes(2 << 20)))]);
    assert_eq!(bundle.policy.limits.disk, Bytes(66 << 20).into());
    let bundle = accepted(tmpfs(&scratch, &[]));
    assert_eq!(bundle.policy.filesystem.mounts, [Mount::tmpfs("/data", None)]);
    assert_eq!(bundle.policy.limits.disk, Bytes(64 << 20).into());
    for size in ["size=4095", "size=10%", "size=", "size=x", "size=99999999999999g"] {
        let error = tmpfs(&scratch, &[size]).expect_err(size);
        assert!(error.to_string().starts_with("`mounts[0].options[0]` is"), "{error}");
    }
}

#[test]
fn binds_are_of_the_host_or_stay_in_the_bundle() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.0.join("data")).expect("there is room");
    std::os::unix::fs::symlink("/etc", scratch.0.join("out")).expect("there is room");
    let bind = |source: &str, options: &[&str]| {
        let options: Vec<&str> = options.iter().copied().chain(["rbind"]).collect();
        mount(
            &scratch,
            json!({ "destination": "/x", "type": "none", "source": source, "options": options }),
        )
    };
    let mounts = |result| accepted(result).policy.filesystem.mounts;
    let data = scratch.0.join("data");
    assert_eq!(mounts(bind("data", &[])), [Mount::read_write(&data, "/x")]);
    assert_eq!(mounts(bind("data", &["ro"])), [Mount::read_only(&data, "/x")]);
    assert_eq!(mounts(bind("data", &["ro", "rw"])), [Mount::read_write(&data, "/x")]);
    assert_eq!(mounts(bind("data", &["rw", "rro"])), [Mount::read_only(&data, "/x")]);
    assert_eq!(mounts(bind("/srv", &["rprivate"])), [Mount::read_write("/srv", "/x")]);
    assert_eq!(refused(bind("/proc/1", &[])), ["mounts[0].source"]);
    assert_eq!(refused(bind("/sys", &[])), ["mounts[0].source"]);
    for (source, words) in [
        ("out", "leads out of the bundle"),
        ("../x", "a path without `..`"),
        ("/a/../b", "a path without `..`"),
        ("a\0", "a path without NUL"),
        ("", "`mounts[0].source` is missing"),
    ] {
        let error = bind(source, &[]).expect_err(source);
        assert!(error.to_string().contains(words), "{source:?}: {error}");
    }
}

#[test]
fn a_bind_without_what_is_beneath_is_refused_where_something_is() {
    let scratch = Scratch::new();
    let bind = |source: &str| {
        mount(&scratch, json!({ "destination": "/x", "source": source, "options": ["bind", "ro"] }))
    };
    // `/proc` is mounted beneath it.
    assert_eq!(refused(bind("/")), ["mounts[0]"]);
    accepted(bind("rootfs"));
    fs::write(scratch.0.join("file"), "").expect("there is room");
    accepted(bind("file"));
}

#[test]
fn a_place_takes_one_mount() {
    let scratch = Scratch::new();
    let both = json!([
        { "destination": "/a", "type": "tmpfs" },
        { "destination": "a//", "type": "tmpfs" },
        { "destination": "/a/b", "type": "tmpfs" },
    ]);
    assert_eq!(refused(scratch.load(&with("mounts", both))), ["mounts[1]"]);
    for (destination, words) in
        [("/a/../b", "without `..`"), ("a\0", "without NUL"), ("", "is missing")]
    {
        let error = mount(&scratch, json!({ "destination": destination, "type": "tmpfs" }));
        let error = error.expect_err(destination);
        assert!(error.to_string().starts_with("`mounts[0].destination` is"), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn paths_go_as_their_rows_say() {
    let scratch = Scratch::new();
    for row in MASKED {
        let bundle = accepted(scratch.load(&with("linux.maskedPaths", json!([row.name]))));
        let kinds: Vec<NoteKind> = bundle.notes.iter().map(|note| note.kind).collect();
        let expected: &[NoteKind] = match row.treatment {
            Treatment::Honoured => &[],
            Treatment::Harmless => &[NoteKind::Harmless],
            _ => &[NoteKind::NotEnforced],
        };
        assert_eq!(kinds, expected, "{}", row.name);
    }
    // What is mounted beneath `/sys` is there, and what is writable is not read-only.
    let mut config = with("mounts", json!([{ "destination": "/sys/x", "type": "tmpfs" }]));
    put(&mut config, "linux.maskedPaths", json!(["/sys/x/y", "/sys/z", "/sys"]));
    put(&mut config, "linux.readonlyPaths", json!(["/sys/x/y", "/sys/z", "/sys"]));
    let mut paths = refused(scratch.load(&config));
    paths.sort();
    assert_eq!(
        paths,
        [
            "linux.maskedPaths[0]",
            "linux.maskedPaths[2]",
            "linux.readonlyPaths[0]",
            "linux.readonlyPaths[2]",
        ]
    );
}
