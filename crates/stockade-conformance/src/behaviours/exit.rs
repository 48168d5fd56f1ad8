//! How a program ended.

use stockade::{ErrorKind, Verdict};
use stockade_guests as guests;

use crate::{Job, Subject};

pub(super) fn exit_codes_are_told(subject: &dyn Subject) {
    for code in [0, 1, 7, 124, 255] {
        let report = Job::new(subject, &guests::EXIT_CODE).args([code.to_string()]).run();
        assert_eq!(report.verdict, subject.facts().exited(code));
    }
}

pub(super) fn a_crash_is_told(subject: &dyn Subject) {
    expect_fall(subject, &guests::CRASH, "SIGSEGV", 11);
}

pub(super) fn an_abort_is_told(subject: &dyn Subject) {
    expect_fall(subject, &guests::ABORT, "SIGABRT", 6);
}

fn expect_fall(subject: &dyn Subject, guest: &guests::Guest, signal: &str, number: i32) {
    let verdict = Job::new(subject, guest).run().verdict;
    if subject.facts().native {
        assert_eq!(verdict, Verdict::Signaled { signal: signal.to_owned(), number });
    } else {
        assert!(matches!(verdict, Verdict::Trapped { .. }), "{verdict:?}");
    }
}

pub(super) fn a_program_that_kills_itself_is_signaled(subject: &dyn Subject) {
    expect_fall(subject, &guests::SELF_SIGKILL, "SIGKILL", 9);
}

pub(super) fn a_program_that_is_not_there_is_not_found(subject: &dyn Subject) {
    let mut job = Job::new(subject, &guests::HELLO);
    job.program = subject.absent("/guest/nobody");
    let error = job.try_prepare().err().expect("there is no such program");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/guest/nobody"), "{error}");
    assert!(error.hint().is_some());
}
