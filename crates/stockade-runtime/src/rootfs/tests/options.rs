//! The options of a mount are read as fstab's.

use crate::rootfs::options::{
    ATIME, Change, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, Options, PRIVATE, Propagation,
    RDONLY, Reach, SHARED, SLAVE, STRICTATIME, UNBINDABLE,
};

fn options(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn parse(kind: &str, text: &str, check: impl FnOnce(Options<'_>)) {
    let words = options(text);
    check(Options::parse(kind, &words).expect("known options"));
}

#[test]
fn flags_are_set_and_cleared() {
    parse("tmpfs", "nosuid,x nosuid nodev noexec ro", |options| {
        assert_eq!(options.this, Change::set(NOSUID | NODEV | NOEXEC | RDONLY));
        assert_eq!(options.data, [("nosuid", None), ("x", None)]);
    });
    parse("bind", "rbind dev suid exec rw", |options| {
        assert_eq!(options.bind, Some(Reach::Tree));
        assert_eq!(options.this, Change { set: 0, clear: NOSUID | NODEV | NOEXEC | RDONLY });
    });
    parse("bind", "bind rw ro", |options| assert_eq!(options.this, Change::set(RDONLY)));
    parse("bind", "bind ro rw", |options| {
        assert_eq!(options.this, Change { set: 0, clear: RDONLY });
    });
    parse("bind", "", |options| assert_eq!(options.bind, Some(Reach::One)));
    parse("none", "defaults silent", |options| assert_eq!(options, Options::default()));
}

#[test]
fn access_times_are_one_field() {
    parse("tmpfs", "noatime strictatime nodiratime", |options| {
        let change = Change { set: STRICTATIME | NODIRATIME, clear: ATIME };
        assert_eq!(options.this, change);
    });
    parse("tmpfs", "noatime", |options| {
        assert_eq!(options.this, Change { set: NOATIME, clear: ATIME });
    });
    for relative in ["noatime relatime", "noatime atime", "strictatime nostrictatime"] {
        parse("tmpfs", relative, |options| {
            assert_eq!(options.this, Change { set: 0, clear: ATIME });
        });
    }
}

#[test]
fn whole_trees_have_options_of_their_own() {
    parse("bind", "rbind rro rnosuid rdev ratime ro", |options| {
        assert_eq!(options.this, Change::set(RDONLY));
        assert_eq!(options.tree, Change { set: RDONLY | NOSUID, clear: NODEV | ATIME });
    });
}

#[test]
fn propagation_is_kept_in_order() {
    parse("bind", "rbind rslave shared runbindable private", |options| {
        let how = |kind, reach| Propagation { kind, reach };
        let (one, tree) = (Reach::One, Reach::Tree);
        let expected =
            [how(SLAVE, tree), how(SHARED, one), how(UNBINDABLE, tree), how(PRIVATE, one)];
        assert_eq!(options.propagation, expected);
    });
    assert_eq!(Propagation::named("rbind"), None);
    assert_eq!(Propagation::named("rrslave"), None);
}

#[test]
fn what_is_unknown_is_for_the_filesystem() {
    let text = r#"lowerdir=/a:/b,upperdir=/c context="a,b" size=64k sync xino=off"#;
    parse("overlay", text, |options| {
        let data = [
            ("lowerdir", Some("/a:/b")),
            ("upperdir", Some("/c")),
            ("context", Some("\"a,b\"")),
            ("size", Some("64k")),
            ("xino", Some("off")),
        ];
        assert_eq!(options.data, data);
        assert_eq!(options.superblock, ["sync"]);
        assert!(options.has_data("size") && !options.has_data("siz"));
    });
    for (kind, text) in [("bind", "rbind size=1"), ("none", "bind rslavex"), ("bind", "nosuch")] {
        let error = Options::parse(kind, &options(text)).expect_err("a bind has no filesystem");
        let said = "bind mounts cannot have any filesystem-specific options applied";
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(Options::parse("bind", &options("rbind tmpcopyup")).is_err());
    assert!(Options::parse("ramfs", &options("tmpcopyup")).is_err());
}

#[test]
fn owners_may_be_mapped() {
    parse("bind", "bind idmap", |options| assert_eq!(options.map_owners, Some(Reach::One)));
    parse("bind", "rbind ridmap", |options| assert_eq!(options.map_owners, Some(Reach::Tree)));
}
