//! A host where nothing can be executed from memory (`vm.memfd_noexec`, of a pid namespace since
//! Linux 6.3): the helper is then executed from a file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stockade_conformance::{Job, Native, Scratch};
use stockade_core::Stdio;
use stockade_guests as guests;
use stockade_namespace::NamespaceSandbox;

use crate::elsewhere::{Place, line, role, say, there, try_run};
use crate::machine::{expects, is_root, subject};

const EXITED: &str = "Exited { code: 0 }";

const SETTING: &str = "/proc/sys/vm/memfd_noexec";

/// What the child says where the setting cannot be changed.
const FIXED: &str = "it cannot be set";

/// Runs the test `name` once more as the first process of a pid namespace that executes no memfd,
/// after the commands `then`, and gives what it said. `None` where there is no such thing, which
/// is a skip.
fn without_memfds(name: &str, folder: &Path, then: &str) -> Option<String> {
    subject()?;
    if !is_root() {
        return None;
    }
    if !Path::new(SETTING).exists() {
        expects("memfd_noexec", "this kernel has no vm.memfd_noexec");
        return None;
    }
    let script = format!(
        r#"export TMPDIR={}
        exec unshare --mount --pid --fork --mount-proc sh -ec '
            echo 2 > {SETTING} || {{ echo "heard: {FIXED}"; exit; }}
            {then}
            exec "$0" "$@"
        ' "$0" "$@""#,
        folder.display()
    );
    let said = there(&Place::After(&script), module_path!(), name, "there");
    if said == FIXED {
        expects("memfd_noexec", "vm.memfd_noexec cannot be set here");
        return None;
    }
    Some(said)
}

/// What is in the folder for temporary files.
fn left() -> Vec<String> {
    let entries = fs::read_dir(std::env::temp_dir()).expect("it was made");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("it is read").file_name();
    entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
}

#[test]
fn the_helper_is_executed_from_a_file_that_is_gone_by_then() {
    if role().is_some() {
        let setting = fs::read_to_string(SETTING).expect("it was written");
        assert_eq!(setting.trim(), "2");
        let before = left();
        let sandbox = NamespaceSandbox::new().expect("it starts");
        let warden = sandbox.warden_id().expect("it has one");
        let image = fs::read_link(format!("/proc/{warden}/exe")).expect("root may look");
        let image = image.to_string_lossy().into_owned();
        assert_eq!(left(), before, "while it runs");
        let is_ours = image.starts_with(&*std::env::temp_dir().to_string_lossy());
        assert!(is_ours && image.ends_with(" (deleted)"), "{image}");
        let subject = Native::new(sandbox);
        for _ in 0..3 {
            let outcome = Job::wait(Job::new(&subject, &guests::HELLO).start(Stdio::captured()));
            assert!(outcome.expect("it runs").verdict.success());
        }
        return say(&line(&try_run(&guests::HELLO, &[], |_| ())));
    }
    let name = "the_helper_is_executed_from_a_file_that_is_gone_by_then";
    for then in [
        "",
        // A file that everybody is denied.
        "umask 0777",
        // What another host with this number has left.
        r#"echo > "$TMPDIR/stockade-warden-1-0"; ln -s /dev/null "$TMPDIR/stockade-warden-1-1""#,
    ] {
        let folder = Scratch::new();
        let Some(said) = without_memfds(name, folder.path(), then) else { return };
        assert!(said.starts_with(EXITED), "{then}: {said}");
        let left = fs::read_dir(folder.path()).expect("it is there").count();
        assert_eq!(left, if then.contains("warden") { 2 } else { 0 }, "{then}");
    }
}

#[test]
fn other_processes_that_are_forked_meanwhile_do_not_keep_the_file_from_being_executed() {
    if role().is_some() {
        let over = AtomicBool::new(false);
        let failed = thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        Command::new("true").status().expect("it starts");
                    }
                });
            }
            let failed = (0..60).find_map(|_| NamespaceSandbox::new().err());
            over.store(true, Ordering::Relaxed);
            failed
        });
        return say(&failed.map_or("all".to_owned(), |error| format!("{error:?}")));
    }
    let name = "other_processes_that_are_forked_meanwhile_do_not_keep_the_file_from_being_executed";
    let folder = Scratch::new();
    let Some(said) = without_memfds(name, folder.path(), "") else { return };
    assert_eq!(said, "all");
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn where_no_file_can_be_executed_either_the_error_says_what_to_do() {
    if role().is_some() {
        let said = line(&try_run(&guests::HELLO, &[], |_| ()));
        let left = fs::read_dir(std::env::temp_dir()).map_or(0, Iterator::count);
        return say(&format!("{said}; {left} left"));
    }
    let name = "where_no_file_can_be_executed_either_the_error_says_what_to_do";
    for (then, why) in [
        (r#"mount -t tmpfs -o noexec none "$TMPDIR""#, "os error 13"),
        (r#"mount -t tmpfs -o ro none "$TMPDIR""#, "os error 30"),
        (r#"mount -t tmpfs -o size=4k none "$TMPDIR""#, "os error 28"),
        (r#"export TMPDIR="$TMPDIR/nowhere""#, "os error 2"),
    ] {
        let folder = Scratch::new();
        let Some(said) = without_memfds(name, folder.path(), then) else { return };
        assert!(said.starts_with("Setup: cannot execute the helper from memory (P"), "{said}");
        assert!(said.contains(why) && said.contains("stockade-warden-1-0"), "{then}: {said}");
        assert!(said.contains("| have TMPDIR name") && said.ends_with("; 0 left"), "{said}");
    }
}
