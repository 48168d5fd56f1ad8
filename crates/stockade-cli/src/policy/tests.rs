use clap::Parser;
use stockade::{Base, Bytes, Control, ErrorKind, Limit, Mount, NetworkMode, Policy};

use super::{of, same_place};
use crate::args::{Cli, Command};

fn policy(words: &[&str]) -> stockade::Result<Policy> {
    let words = [&["stockade", "run"], words, &["true"]].concat();
    match Cli::parse_from(words).command {
        Command::Run(args) => of(&args.policy),
        other => panic!("{other:?} is no run"),
    }
}

#[test]
fn no_option_is_the_default_policy() {
    assert_eq!(policy(&[]).expect("the default"), Policy::default());
}

#[test]
fn options_change_what_they_name() {
    let policy = policy(&[
        "--memory",
        "64MiB",
        "--output",
        "unlimited",
        "--network",
        "host",
        "--rootfs",
        "/root-dir",
        "--env",
        "LANG=C",
        "--env",
        "A=1",
        "--best-effort",
        "memory",
        "--cwd",
        "/",
    ])
    .expect("a good policy");
    assert_eq!(policy.limits.memory, Limit::At(Bytes(64 << 20)));
    assert_eq!(policy.limits.output, Limit::Unlimited);
    assert_eq!(policy.limits.cpu_time, Policy::default().limits.cpu_time);
    assert_eq!(policy.network.mode, NetworkMode::Host);
    assert_eq!(policy.filesystem.base, Base::Rootfs("/root-dir".into()));
    assert_eq!(policy.process.env["LANG"], "C");
    assert_eq!(policy.process.env["A"], "1");
    assert!(policy.process.env.contains_key("PATH"));
    assert_eq!(policy.process.cwd, "/");
    assert!(policy.best_effort.contains(&Control::Memory));
}

#[test]
fn a_root_is_written_to_where_that_is_said() {
    let base = |words: &[&str]| policy(words).map(|policy| policy.filesystem.base);
    let writable = base(&["--rootfs", "/r", "--writable"]).expect("a good policy");
    assert_eq!(writable, Base::WritableRootfs("/r".into()));
    let read_only = base(&["--rootfs", "/r", "--read-only"]).expect("a good policy");
    assert_eq!(read_only, Base::Rootfs("/r".into()));
    assert_eq!(base(&["--read-only"]).expect("a good policy"), Base::System);
    for words in [&["--writable"][..], &["--base", "empty", "--writable"]] {
        let error = base(words).expect_err("nothing to write to");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains("--writable") && error.hint().is_some(), "{error}");
    }
}

#[test]
fn a_directory_is_mounted_before_what_is_in_it() {
    let policy = policy(&["--tmpfs", "/a/b:1MiB", "--rw", "/x:/a", "--ro", "/y:/a/b/c"]);
    let mounts = [
        Mount::read_write("/x", "/a"),
        Mount::tmpfs("/a/b", Some(Bytes(1 << 20))),
        Mount::read_only("/y", "/a/b/c"),
    ];
    assert_eq!(policy.expect("a good policy").filesystem.mounts, mounts);
}

#[test]
fn a_host_path_keeps_its_place() {
    assert_eq!(same_place("/a/./b/../c/".as_ref()).expect("a path"), "/a/c");
    let here = std::env::current_dir().expect("a working directory");
    let below = here.join("data").into_os_string().into_string().expect("UTF-8");
    assert_eq!(same_place("data".as_ref()).expect("a path"), below);
}

#[test]
fn a_senseless_value_is_an_error_that_names_it() {
    for (words, named) in [
        (["--memory", "1"], "`limits.memory = 1`"),
        (["--wall-time", "0s"], "`limits.wall_time = 0s`"),
        (["--cwd", "tmp"], "`process.cwd = tmp`"),
        (["--tmpfs", "/a/.."], "= /a/..`"),
        (["--ro", "/a:/a/../b"], "= /a/../b`"),
    ] {
        let error = policy(&words).expect_err(named);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains(named), "{error}");
    }
}
