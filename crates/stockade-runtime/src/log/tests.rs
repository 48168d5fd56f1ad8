//! What engines read.

use std::fs;

use serde_json::Value;

use super::*;
use crate::home::tests::Scratch;

#[test]
fn a_line_is_json_and_is_appended() {
    let scratch = Scratch::new();
    let file = scratch.path.join("log");
    let log = Log::at(file.clone());
    log.error(&Failure::because("first \"quoted\"", io::Error::other("cause\nof two lines")));
    log.warn("second");
    log.debug(|| "never".into());
    let text = fs::read_to_string(&file).expect("it was written");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["level"], "error");
    assert_eq!(lines[0]["msg"], "first \"quoted\": cause\nof two lines");
    let time = lines[0]["time"].as_str().expect("there is a time");
    humantime::parse_rfc3339(time).expect("it is of RFC 3339");
    assert_eq!(lines[1]["level"], "warning");
}

#[test]
fn text_is_one_line_too() {
    let scratch = Scratch::new();
    let file = scratch.path.join("log");
    let log = Log { file: Some(file.clone()), format: Format::Text, is_debug: true };
    log.debug(|| "two\nlines".into());
    let text = fs::read_to_string(&file).expect("it was written");
    assert!(text.starts_with("time=\""), "{text}");
    assert!(text.ends_with(" level=debug msg=\"two\\nlines\"\n"), "{text}");
}

#[test]
fn without_a_file_and_with_one_that_cannot_be_written_nothing_breaks() {
    let scratch = Scratch::new();
    Log::at(scratch.path.join("missing/log")).warn("lost");
    Log::none().warn("nowhere");
}
