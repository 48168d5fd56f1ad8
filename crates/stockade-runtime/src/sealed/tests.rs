use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::tests::{UNSHARE, inside, is_inside, is_root};

/// Tries to write to this program, which is being executed besides.
fn attempt() {
    let handle = fs::openat(CWD, FILE, OFlags::PATH, Mode::empty()).expect("a handle");
    for path in [FILE.to_owned(), format!("/proc/self/fd/{}", handle.as_raw_fd())] {
        for options in [File::options().write(true), File::options().append(true)] {
            let error = options.open(&path).expect_err("it is not writable");
            let expected = [libc::ETXTBSY, libc::EROFS, libc::EPERM].map(Some);
            assert!(expected.contains(&error.raw_os_error()), "{error}");
        }
    }
}

/// What such a program finds when it becomes another one, so that nobody executes its file any more,
/// and keeps a handle of it. The file is a copy of this one, and nobody else executes it.
///
/// With `by` before it, and `sealed` or not. Gives what the shell said, and whether the file is as it was.
fn attempt_after_exec(test: &str, by: &[&str], sealed: bool) -> (String, bool) {
    let name = format!("stockade-sealed-{}-{}", std::process::id(), test.len());
    let copy = env::temp_dir().join(name);
    let original = env::current_exe().expect("a path");
    std::fs::copy(&original, &copy).expect("it is copied");
    let (program, arguments) = by.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(arguments).arg(&copy).args(["--exact", KEEPER, "--nocapture", "--test-threads=1"]);
    command.env("STOCKADE_TEST_INSIDE", KEEPER);
    if sealed {
        command.env("STOCKADE_TEST_SEALED", "1");
    }
    let output = command.output().expect("it is executed");
    let read = |path: &Path| std::fs::read(path).expect("it can be read");
    let same = read(&original) == read(&copy);
    std::fs::remove_file(&copy).expect("what this test made");
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), same)
}

const KEEPER: &str = "sealed::tests::keeper";

/// What [`attempt_after_exec`] has run.
#[test]
fn keeper() {
    if !is_inside(KEEPER) {
        return;
    }
    if env::var_os("STOCKADE_TEST_SEALED").is_some() {
        ensure().expect("it is executed again, once");
    }
    let handle = fs::openat(CWD, FILE, OFlags::PATH, Mode::empty()).expect("a handle");
    let line = format!("echo x >> /proc/self/fd/{} && echo WRITTEN", handle.as_raw_fd());
    let error = Command::new("/bin/sh").args(["-c", &line]).exec();
    panic!("no shell: {error}");
}

#[test]
fn a_program_that_is_not_sealed_is_overwritten() {
    let (said, same) = attempt_after_exec("control", &["env"], false);
    assert!(said.contains("WRITTEN") && !same, "the tests below test nothing: {said}");
}

const MOUNTED: &str = "sealed::tests::root_runs_from_a_mount_that_is_read_only_and_nowhere";

#[test]
fn root_runs_from_a_mount_that_is_read_only_and_nowhere() {
    if !is_root(MOUNTED) {
        return;
    }
    if is_inside(MOUNTED) {
        ensure().expect("it is executed again, once");
    } else {
        let (said, same) = attempt_after_exec("mount", &["env"], true);
        assert!(said.contains("Read-only file system"), "{said}");
        assert!(same && !said.contains("WRITTEN"), "{said}");
    }
    inside(MOUNTED, &["env"], || {
        let handle = fs::openat(CWD, FILE, OFlags::PATH, Mode::empty()).expect("a handle");
        let seals = fs::fcntl_get_seals(File::open(FILE).expect("it can be read"));
        assert!(seals.is_err(), "it is a file of a disk");
        assert!(is_sealed(handle.as_fd()).expect("it can be asked"));
        attempt();
        // With every right on mounts, it cannot be made writable or cloned.
        set_read_only(handle.as_fd(), false).expect_err("it is in no namespace");
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
        mount::open_tree(&handle, "", clone).expect_err("it is in no namespace");
        let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let flags = mount::MountFlags::BIND;
        mount::mount_remount(path.as_str(), flags, "").expect_err("it is in no namespace");
        ensure().expect("it is there already");
    });
}

const COPIED: &str = "sealed::tests::who_may_not_mount_runs_from_a_copy_that_cannot_be_changed";

#[test]
fn who_may_not_mount_runs_from_a_copy_that_cannot_be_changed() {
    // A user of its own, whose mounts are still the host's.
    let by = [UNSHARE, "--user", "--map-root-user"];
    if is_inside(COPIED) {
        ensure().expect("it is executed again, once");
    } else {
        let (said, same) = attempt_after_exec("copy", &by, true);
        assert!(said.contains("error"), "{said}");
        assert!(same && !said.contains("WRITTEN"), "{said}");
    }
    inside(COPIED, &by, || {
        let seals = fs::fcntl_get_seals(File::open(FILE).expect("it can be read"));
        assert!(seals.expect("it is in memory").contains(SEALS));
        attempt();
        ensure().expect("it is there already");
    });
}

const LOOP: &str = "sealed::tests::a_mark_is_not_believed_and_there_is_no_second_attempt";

#[test]
fn a_mark_is_not_believed_and_there_is_no_second_attempt() {
    inside(LOOP, &["env", &format!("{MARK}=1")], || {
        let failure = ensure().expect_err("it is executed from the disk").to_string();
        assert!(failure.contains("not protected"), "{failure}");
    });
}
