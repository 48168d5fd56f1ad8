use super::check::Check;
use super::docker;
use crate::test::tally::Tally;
use std::process::Command;

const CHECK: Check =
    Check { name: "a", arguments: &[], code: 3, stdout: Some("out"), says: &["out", "err"] };

#[test]
fn a_check_wants_status_output_and_words() {
    assert_eq!(CHECK.fault(Some(3), "out", "err"), None);
    assert!(CHECK.fault(Some(0), "out", "err").is_some());
    assert!(CHECK.fault(None, "out", "err").is_some());
    assert!(CHECK.fault(Some(3), "out, and more", "err").is_some());
    assert!(CHECK.fault(Some(3), "out", "nothing").is_some());
}

#[test]
fn a_check_that_cannot_run_has_failed() {
    let mut tally = Tally::default();
    CHECK.examine(&mut Command::new("/nonexistent"), &mut tally);
    CHECK.examine(
        Command::new("/bin/sh").args(["-c", "printf out; echo err >&2; exit 3"]),
        &mut tally,
    );
    assert_eq!((tally.passed, tally.failed), (1, 1));
}

#[test]
fn the_filter_is_whole_instructions_and_ends_in_an_answer() {
    let code = docker::filter();
    let instructions = code.as_chunks::<8>();
    assert!(instructions.1.is_empty());
    assert!(instructions.0.len() < 4096, "more than the kernel takes");
    assert_eq!(instructions.0.last(), Some(&[0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]));
}
