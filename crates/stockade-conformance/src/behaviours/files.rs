//! The files a program sees.

use std::fs;

use stockade::{Mount, Verdict};
use stockade_guests as guests;

use crate::{Job, Scratch, Subject};

/// How a guest ends that was told an errno.
fn refused(subject: &dyn Subject) -> Verdict {
    subject.facts().exited(3)
}

fn cat<'a>(subject: &'a dyn Subject, path: &str) -> Job<'a> {
    Job::new(subject, &guests::CAT).args([path])
}

fn write<'a>(subject: &'a dyn Subject, path: &str) -> Job<'a> {
    Job::new(subject, &guests::WRITE_FILE).args([path, "1000"])
}

pub(super) fn a_file_in_memory_is_read_and_not_written(subject: &dyn Subject) {
    let file = || Mount::file("/etc/motd", "be brief\0");
    assert_eq!(cat(subject, "/etc/motd").mount(file()).run().stdout, b"be brief\0");
    assert_eq!(write(subject, "/etc/motd").mount(file()).run().verdict, refused(subject));
}

pub(super) fn a_read_only_bind_is_read_and_not_written(subject: &dyn Subject) {
    let scratch = Scratch::new();
    let file = scratch.file("data", "of the host");
    let bind = || Mount::read_only(scratch.path(), "/data");
    assert_eq!(cat(subject, "/data/data").mount(bind()).run().stdout, b"of the host");
    for path in ["/data/data", "/data/new"] {
        assert_eq!(write(subject, path).mount(bind()).run().verdict, refused(subject), "{path}");
    }
    assert_eq!(fs::read(&file).expect("it is still there"), b"of the host");
    assert_eq!(fs::read_dir(scratch.path()).expect("so is its directory").count(), 1);
}

pub(super) fn a_writable_bind_takes_files_to_the_host(subject: &dyn Subject) {
    let scratch = Scratch::new();
    scratch.file("old", "before");
    let bind = || Mount::read_write(scratch.path(), "/data");
    for name in ["old", "new"] {
        let report = write(subject, &format!("/data/{name}")).mount(bind()).run();
        assert!(report.verdict.success(), "{name}: {:?}", report.verdict);
        let written = fs::read(scratch.path().join(name)).expect("the file is on the host");
        assert_eq!(written, [b'x'; 1000]);
    }
}

pub(super) fn an_in_memory_directory_is_empty_in_every_run(subject: &dyn Subject) {
    let tmpfs = || Mount::tmpfs("/scratch", None);
    for path in ["/scratch/file", "/tmp/file"] {
        assert!(write(subject, path).mount(tmpfs()).run().verdict.success(), "{path}");
        assert_eq!(cat(subject, path).mount(tmpfs()).run().verdict, refused(subject), "{path}");
    }
}

pub(super) fn a_file_that_is_not_mounted_is_not_there(subject: &dyn Subject) {
    let scratch = Scratch::new();
    let path = scratch.file("secret", "secret");
    let report = cat(subject, path.to_str().expect("a plain path")).run();
    assert_eq!(report.verdict, refused(subject));
    assert_eq!(report.stdout, b"open: ENOENT\n");
}
