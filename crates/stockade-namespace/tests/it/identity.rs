//! Who a workload is, seen from the host.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown};

use stockade_conformance::{Job, Scratch};
use stockade_core::{Execution, Mount, Stdio};
use stockade_guests as guests;

use crate::machine::{Subject, descendants, is_root, status, subject};

/// A run whose program is certainly running.
fn running(subject: &Subject) -> Box<dyn Execution> {
    let mut run = Job::new(subject, &guests::ABSTRACT_LISTEN)
        .args(["identity", "60000"])
        .start(Stdio::streamed());
    let mut said = [0; 10];
    run.stdout().expect("output is streamed").read_exact(&mut said).expect("it listens");
    run
}

/// The four user ids of each of the warden's processes, as the host sees them.
fn users(subject: &Subject) -> Vec<BTreeSet<String>> {
    let warden = subject.backend().warden_id().expect("there is a warden");
    let ids = |pid| status(pid, "Uid");
    let split = |ids: String| ids.split_whitespace().map(str::to_owned).collect();
    descendants(warden).into_iter().filter_map(ids).map(split).collect()
}

#[test]
fn no_process_of_a_sandbox_is_root_outside() {
    let Some(subject) = subject() else { return };
    let own = rustix::process::geteuid().as_raw().to_string();
    let _run = running(&subject);
    let users = users(&subject);
    assert_eq!(users.len(), 2, "init and workload: {users:?}");
    if rustix::process::geteuid().is_root() {
        assert!(users.iter().all(|ids| !ids.contains("0")), "{users:?}");
    } else {
        assert!(users.iter().all(|ids| *ids == BTreeSet::from([own.clone()])), "{users:?}");
    }
}

#[test]
fn capabilities_are_gone_as_the_host_sees_it() {
    let Some(subject) = subject() else { return };
    let _run = running(&subject);
    let warden = subject.backend().warden_id().expect("there is a warden");
    let mut sets: Vec<String> =
        descendants(warden).into_iter().filter_map(|pid| status(pid, "CapEff")).collect();
    sets.sort();
    // The workload has none; init keeps the right to kill, in its own user namespace.
    assert_eq!(sets, ["0000000000000000", "0000000000000020"]);
}

#[test]
fn concurrent_sandboxes_have_different_ids() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    let _runs = [running(&subject), running(&subject), running(&subject)];
    let users = users(&subject);
    let all: BTreeSet<&String> = users.iter().flatten().collect();
    assert_eq!((users.len(), all.len()), (6, 6), "{users:?}");
}

#[test]
fn files_in_a_writable_bind_belong_to_its_owner() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    for owner in [0, 12_345] {
        let scratch = Scratch::new();
        let dir = scratch.dir("data");
        chown(&dir, Some(owner), Some(owner)).expect("root may");
        let report = Job::new(&subject, &guests::WRITE_FILE)
            .args(["/data/file", "10"])
            .mount(Mount::read_write(&dir, "/data"))
            .run();
        assert!(report.verdict.success(), "{report:?}");
        let made = fs::metadata(dir.join("file")).expect("it was written");
        assert_eq!((made.uid(), made.gid()), (owner, owner));
    }
}

#[test]
fn a_file_of_others_in_a_bind_keeps_its_permissions() {
    let Some(subject) = subject() else { return };
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let dir = scratch.dir("data");
    chown(&dir, Some(12_345), Some(12_345)).expect("root may");
    let secret = dir.join("secret");
    fs::write(&secret, "of root").expect("it is written");
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("root may");
    let report = Job::new(&subject, &guests::CAT)
        .args(["/data/secret"])
        .mount(Mount::read_write(&dir, "/data"))
        .run();
    assert_eq!(report.stdout, b"open: EACCES\n");
}
