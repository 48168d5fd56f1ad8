//! What is said of what cannot be done, in the words that engines look for.

use std::fs;

use super::{Scratch, bare};

#[test]
fn a_container_that_is_not_there_does_not_exist() {
    let scratch = Scratch::new();
    for line in [
        "state nobody",
        "kill nobody",
        "kill --all nobody KILL",
        "pause nobody",
        "resume nobody",
        "ps nobody",
        "events --stats nobody",
        "update --pids-limit 5 nobody",
        "delete nobody",
    ] {
        let said = scratch.call(line);
        assert_eq!((said.status, said.out.as_str()), (Some(1), ""), "{line}");
        assert_eq!(said.err, "stockade-oci: container does not exist\n", "{line}");
        assert_eq!(scratch.last(), "container does not exist", "{line}");
    }
    assert_eq!(scratch.log().len(), 9);
}

#[test]
fn what_is_not_there_is_deleted_by_force() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        let said = scratch.call("delete --force nobody");
        assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (Some(0), "", ""));
    }
    assert!(scratch.log().is_empty());
}

#[test]
fn an_id_leads_nowhere_else() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path.join("victim")).expect("it is made");
    for id in ["../victim", "..", ".", "a/b", "/etc", "a\u{e4}"] {
        for command in ["delete --force", "delete", "state", "kill"] {
            let said = scratch.call(&format!("{command} {id}"));
            assert_eq!(said.status, Some(1), "{command} {id}");
            assert!(said.err.contains("invalid container ID format"), "{}", said.err);
        }
    }
    assert!(scratch.path.join("victim").is_dir());
}

#[test]
fn a_usage_error_is_status_1_and_names_the_culprit() {
    for (line, word) in [
        ("--bogus state id", "--bogus"),
        ("state --bogus id", "--bogus"),
        ("state", "<CONTAINER>"),
        ("", "Usage"),
        ("--walls none list", "none"),
    ] {
        let said = bare(line);
        assert_eq!((said.status, said.out.as_str()), (Some(1), ""), "{line}");
        assert!(said.err.contains(word), "{line}: {}", said.err);
    }
    for (command, words) in [
        ("checkpoint id", "checkpoint is not supported"),
        ("restore id", "restore is not supported"),
        ("init", "there is no command \"init\""),
        ("bogus", "there is no command \"bogus\""),
    ] {
        let said = bare(command);
        assert_eq!(said.status, Some(1));
        assert!(said.err.contains(words), "{}", said.err);
    }
}

#[test]
fn a_signal_that_is_none_is_told_before_the_container() {
    let scratch = Scratch::new();
    let said = scratch.call("kill nobody BOGUS");
    assert_eq!(said.status, Some(1));
    assert_eq!(said.err, "stockade-oci: unknown signal \"BOGUS\"\n");
}

#[test]
fn a_log_of_text_is_one_line() {
    let scratch = Scratch::new();
    let log = scratch.path.join("log");
    let said = bare(&format!("--root {0}/root --log {0}/log state x", scratch.path.display()));
    assert_eq!(said.status, Some(1));
    let text = fs::read_to_string(log).expect("it was written");
    assert!(text.starts_with("time=\""), "{text}");
    assert!(text.ends_with(" level=error msg=\"container does not exist\"\n"), "{text}");
}
