//! What a program is started with.

use std::collections::BTreeMap;

use stockade::Mount;
use stockade_guests as guests;

use crate::{Job, Subject};

pub(super) fn arguments_arrive_as_given(subject: &dyn Subject) {
    let args = ["", "a b", "\"quoted\"", "\ttab", "-x", "--", "$HOME", "*", "ünï", ""];
    let report = Job::new(subject, &guests::PRINT_ARGS).args(args).run();
    assert_eq!(
        String::from_utf8_lossy(&report.stdout),
        args.map(|arg| format!("{arg}\n")).concat()
    );
}

pub(super) fn the_environment_is_what_the_policy_says_and_nothing_else(subject: &dyn Subject) {
    let asked = [("EMPTY", ""), ("LANG", "C.UTF-8"), ("SPACE", " a = b "), ("ünï", "côdé")];
    let asked: BTreeMap<String, String> =
        asked.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let report = Job::new(subject, &guests::PRINT_ENV)
        .policy(|policy| policy.process.env = asked.clone())
        .run();
    let printed = String::from_utf8(report.stdout).expect("it was text");
    let found: Option<BTreeMap<String, String>> = printed
        .lines()
        .map(|line| line.split_once('='))
        .map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    assert_eq!(found, Some(asked));
}

pub(super) fn the_working_directory_is_what_the_policy_says(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::CAT)
        .args(["note"])
        .mount(Mount::file("/place/note", "found"))
        .policy(|policy| policy.process.cwd = "/place".to_owned())
        .run();
    assert_eq!(report.stdout, b"found");
}
