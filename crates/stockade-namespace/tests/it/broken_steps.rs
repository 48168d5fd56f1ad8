//! A sandbox that cannot be built, though it could be prepared: an error that says where, and a
//! warden that lives on.

use std::fs;

use stockade_conformance::{Job, Scratch};
use stockade_core::{ErrorKind, Mount, Prepared, Program, Stdio};
use stockade_guests as guests;

use crate::machine::{Subject, subject};

/// The error of a run; the warden must be the same before and after, and still work.
fn failure(subject: &Subject, prepared: &dyn Prepared) -> stockade_core::Error {
    let warden = subject.backend().warden_id().expect("there is a warden");
    let run = prepared.start(Stdio::captured()).expect("what fails comes later");
    let error = Job::wait(run).expect_err("it cannot be built");
    assert!(error.hint().is_some(), "{error}");
    assert!(Job::new(subject, &guests::HELLO).run().verdict.success());
    assert_eq!(subject.backend().warden_id().expect("there is a warden"), warden);
    error
}

#[test]
fn a_program_that_went_away_is_not_found() {
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    let path = guests::HELLO.install(scratch.path()).expect("a file can be written");
    let mut job =
        Job::new(&subject, &guests::EXIT_CODE).mount(Mount::read_only(scratch.path(), "/data"));
    job.program = Program::executable("/data/hello");
    let prepared = job.prepare();
    fs::remove_file(path).expect("it is ours");
    let error = failure(&subject, &*prepared);
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn a_program_that_lost_its_permission_is_denied() {
    use std::os::unix::fs::PermissionsExt;
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    let path = guests::HELLO.install(scratch.path()).expect("a file can be written");
    let mut job =
        Job::new(&subject, &guests::EXIT_CODE).mount(Mount::read_only(scratch.path(), "/data"));
    job.program = Program::executable("/data/hello");
    let prepared = job.prepare();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let error = failure(&subject, &*prepared);
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}

#[test]
fn a_working_directory_that_went_away_is_a_failed_step() {
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    let place = scratch.dir("place");
    let job = Job::new(&subject, &guests::HELLO)
        .mount(Mount::read_only(scratch.path(), "/data"))
        .policy(|policy| policy.process.cwd = "/data/place".to_owned());
    let prepared = job.prepare();
    fs::remove_dir(&place).expect("it is ours");
    let error = failure(&subject, &*prepared);
    assert_eq!(error.kind(), ErrorKind::Setup, "{error}");
    assert!(error.to_string().contains("working directory"), "{error}");
    fs::create_dir(place).expect("it can be made again");
    let run = prepared.start(Stdio::captured()).expect("the run starts");
    assert!(Job::wait(run).expect("it can be built again").verdict.success());
}

#[test]
fn a_bind_source_that_went_away_is_no_danger() {
    let Some(subject) = subject() else { return };
    let scratch = Scratch::new();
    let dir = scratch.dir("dir");
    let job = Job::new(&subject, &guests::CAT)
        .args(["/data/secret"])
        .mount(Mount::read_only(&dir, "/data"));
    let prepared = job.prepare();
    // What now has the name is another directory, which was not asked for.
    fs::rename(&dir, scratch.path().join("old")).expect("it is ours");
    fs::create_dir(&dir).expect("the name is free");
    fs::write(dir.join("secret"), "secret").expect("it is ours");
    let run = prepared.start(Stdio::captured()).expect("the run starts");
    match Job::wait(run) {
        Ok(report) => assert_eq!(report.stdout, b"open: ENOENT\n"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Setup, "{error}"),
    }
    assert!(Job::new(&subject, &guests::HELLO).run().verdict.success());
}
