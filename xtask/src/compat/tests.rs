use super::suite::{Difference, LONG, SHORT, Side, compare};
use super::{differences, ground, is_long, judge, place};
use std::collections::BTreeSet;
use std::process::{Command, Output};

fn output(script: &str) -> Output {
    Command::new("/bin/sh").args(["-c", script]).output().expect("a shell runs")
}

#[test]
fn arguments_ask_for_the_long_form_or_nothing() {
    assert_eq!(is_long(&[]), Ok(false));
    assert_eq!(is_long(&["--long"]), Ok(true));
    assert!(is_long(&["--short"]).is_err());
}

#[test]
fn a_side_is_read_from_lines_among_others() {
    let side =
        Side::read("TEST a passed test.a.T.x\n| TEST a failed test.a.T.x\nMODULE a 0 1.5\nnoise\n");
    assert_eq!(
        side.tests.into_iter().collect::<Vec<_>>(),
        [(("a".into(), "test.a.T.x".into()), "passed".into())]
    );
    assert_eq!(side.modules.into_iter().collect::<Vec<_>>(), [("a".into(), 0)]);
}

#[test]
fn sides_differ_in_outcomes_and_in_tests_that_are_missing() {
    let outside = "TEST a passed test.a.T.x\nTEST a failed test.a.T.y\nTEST a passed test.a.T.z\nMODULE a 2 1";
    let inside = "TEST a failed test.a.T.x\nTEST a failed test.a.T.y\nMODULE a 2 1";
    let difference = |name: &str, outside: &str, inside: &str| Difference {
        module: "a".to_owned(),
        name: name.to_owned(),
        outside: outside.to_owned(),
        inside: inside.to_owned(),
    };
    assert_eq!(
        compare(&Side::read(outside), &Side::read(inside)),
        [
            difference("test.a.T.x", "passed", "failed"),
            difference("test.a.T.z", "passed", "absent")
        ]
    );
    assert_eq!(compare(&Side::read(outside), &Side::read(outside)), []);
}

#[test]
fn a_module_that_crashes_inside_differs_even_if_no_test_does() {
    let outside = Side::read("TEST a passed test.a.T.x\nMODULE a 0 1");
    let crashed = compare(&outside, &Side::read("TEST a passed test.a.T.x\nMODULE a -11 1"));
    assert_eq!((crashed.len(), crashed[0].inside.as_str()), (1, "status -11"));
    let absent = compare(&outside, &Side::read("TEST a passed test.a.T.x\n"));
    assert_eq!((absent.len(), absent[0].inside.as_str()), (1, "not ended"));
}

#[test]
fn a_listed_test_has_a_reason_and_others_have_none() {
    assert!(differences::reason("test.test_pty.PtyTest.test_fork").is_some());
    assert_eq!(differences::reason("test.test_os.Nothing.test_of_this_name"), None);
    assert_eq!(differences::reason("test.test_fcntl.TestFcntl.test_fcntl_64_bit_more"), None);
}

#[test]
fn every_reason_stands_in_the_manual() {
    let page = include_str!("../../../crates/stockade/src/manual/compatibility.md");
    for (reason, tests) in differences::LISTED {
        assert!(page.contains(reason), "the page on compatibility lacks: {reason}");
        assert!(!tests.is_empty(), "{reason} explains nothing");
    }
}

#[test]
fn every_module_of_the_long_form_is_listed_once() {
    let all: BTreeSet<_> = SHORT.iter().chain(LONG).collect();
    assert_eq!(all.len(), SHORT.len() + LONG.len());
}

#[test]
fn a_program_must_succeed_and_say_the_same() {
    let good = || output("echo one");
    assert_eq!(place::fault(&[good(), good()]), None);
    assert!(place::fault(&[good(), output("echo two")]).is_some());
    assert!(place::fault(&[good(), output("echo one; exit 1")]).is_some());
    let failed = || output("echo one; exit 1");
    assert!(place::fault(&[failed(), failed()]).is_some(), "both fail alike");
    assert!(place::fault(&[output("true"), output("true")]).is_some(), "nothing was said");
}

#[test]
fn a_wheel_of_another_hash_is_no_reason_to_skip() {
    let said = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
    assert!(ground::is_forged(said));
    assert!(!ground::is_forged("pip: no network"));
}

#[test]
fn the_answer_for_judges_is_that_of_the_input() {
    let text = judge::input();
    let mut numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    numbers.sort_unstable();
    let is_prime =
        |n: &&u64| **n > 1 && (2..).take_while(|d| d * d <= **n).all(|d| !n.is_multiple_of(d));
    let (count, sum) = (numbers.len(), numbers.iter().sum::<u64>());
    let primes = numbers.iter().filter(is_prime).count();
    assert_eq!(judge::ANSWER, format!("{count} {sum} {} {primes}\n", numbers[(count - 1) / 2]));
}

#[test]
fn a_program_is_ended_when_status_output_and_words_say_so() {
    let said = "echo 'stockade: stopped: a forbidden system call' >&2; exit 124";
    assert!(judge::is_ended(&output(&format!("echo before; {said}"))));
    assert!(!judge::is_ended(&output(&format!("echo before; echo after; {said}"))));
    assert!(!judge::is_ended(&output("echo before; exit 124")));
    assert!(!judge::is_ended(&output("echo before; exit 159")));
}
