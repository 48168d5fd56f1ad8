use std::io::{BufReader, Cursor, Read};

use serde_json::{Value, json};
use stockade::{Error, ErrorKind};

use super::job::{Asked, Text};
use super::lines::{LONGEST, next_line};

/// Why this line is no job.
fn refusal(line: &str) -> Error {
    let (_, asked) = Asked::read(7, line.as_bytes());
    asked.expect_err(line).into()
}

#[test]
fn a_job_is_read_with_all_it_can_have() {
    let line = r#"{"id": {"n": [1]}, "program": "sh", "args": ["-c", "x"], "stdin": "in\n",
        "env": {"A": "1"}, "cwd": "/"}"#;
    let (id, asked) = Asked::read(1, line.as_bytes());
    let mut asked = asked.expect("a job");
    assert_eq!(id, json!({"n": [1]}));
    assert_eq!((asked.program.as_str(), asked.cwd.as_deref()), ("sh", Some("/")));
    assert_eq!((asked.args.len(), asked.env["A"].as_str()), (2, "1"));
    assert_eq!(asked.input(1).expect("a text"), b"in\n");
}

#[test]
fn a_program_alone_is_a_job() {
    let (id, asked) = Asked::read(1, br#"{"program": "true"}"#);
    let mut asked = asked.expect("a job");
    assert_eq!((id, asked.args.len(), asked.env.len()), (Value::Null, 0, 0));
    assert_eq!(asked.input(1).expect("nothing"), b"");
}

#[test]
fn what_is_no_job_is_named_with_its_line() {
    for (line, named) in [
        ("", "EOF"),
        ("not json", "at column"),
        ("[]", "a list"),
        (r#" ["x", "true", [], "", {}, null]"#, "a list"),
        ("{}", "missing field `program`"),
        (r#"{"program": "a", "memory": 1}"#, "unknown field `memory`"),
        (r#"{"program": "a", "program": "b"}"#, "duplicate field `program`"),
        (r#"{"program": 3}"#, "program: invalid type"),
        (r#"{"program": "a", "args": ["x", 1]}"#, "args[1]: invalid type"),
        (r#"{"program": "a", "env": {"A": 1}}"#, "env.A: invalid type"),
        (r#"{"program": "a", "stdin": 1}"#, "expected a text"),
        (r#"{"program": "a", "stdin": ["eA=="]}"#, "expected a text"),
        (r#"{"program": "a", "stdin": {"base64": "", "x": 1}}"#, "expected a text"),
        (r#"{"program": "a"} {"program": "b"}"#, "trailing characters"),
    ] {
        let error = refusal(line);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        let text = error.to_string();
        assert!(text.starts_with("line 7 is no job: ") && text.contains(named), "{line}: {text}");
        assert!(!text.contains("line 1"), "{text}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn the_id_comes_back_whatever_else_is_wrong() {
    let (id, asked) = Asked::read(1, br#"{"id": "x", "porgram": "a"}"#);
    assert!(asked.is_err());
    assert_eq!(id, "x");
    assert_eq!(Asked::read(1, b"{\"id\": \"x\"").0, Value::Null);
}

#[test]
fn bytes_that_are_no_text_are_base64() {
    for (bytes, written) in [
        (&b"plain \xc3\xa4"[..], json!("plain ä")),
        (b"\xff\x00", json!({"base64": "/wA="})),
        (b"", json!("")),
    ] {
        let text = Text::from(bytes.to_vec());
        assert_eq!(serde_json::to_value(&text).expect("JSON"), written);
        let line = json!({"program": "a", "stdin": written}).to_string();
        let mut asked = Asked::read(1, line.as_bytes()).1.expect("a job");
        assert_eq!(asked.input(1).expect("bytes"), bytes);
    }
    let line = br#"{"program": "a", "stdin": {"base64": "??"}}"#;
    let mut asked = Asked::read(1, line).1.expect("a job");
    assert!(asked.input(9).expect_err("no base64").to_string().contains("line 9"));
}

/// All lines of a text, each with whether it was kept, read in blocks of this size.
fn lines(text: &[u8], block: usize, longest: usize) -> Vec<(Vec<u8>, bool)> {
    let mut reader = BufReader::with_capacity(block, Cursor::new(text));
    let (mut found, mut total) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let (length, kept) = next_line(&mut reader, &mut line, longest).expect("no error");
        total += length;
        if length == 0 {
            assert_eq!(total, text.len() as u64);
            return found;
        }
        found.push((line, kept));
    }
}

#[test]
fn lines_are_found_wherever_blocks_end() {
    for block in 1..12 {
        let found = lines(b"one\n\nthree\r\nlast", block, 100);
        let texts: Vec<_> = found.iter().map(|(line, _)| line.as_slice()).collect();
        assert_eq!(texts, [&b"one"[..], b"", b"three\r", b"last"]);
        assert!(found.iter().all(|(_, kept)| *kept));
    }
}

#[test]
fn a_line_that_is_too_long_is_passed_over_to_its_end() {
    for block in 1..12 {
        let found = lines(b"12345\n123456\n1\n123456789", block, 5);
        let kept: Vec<_> = found.iter().map(|(_, kept)| *kept).collect();
        assert_eq!(kept, [true, false, true, false]);
        assert!(found.iter().all(|(line, kept)| *kept || line.is_empty()));
    }
}

#[test]
fn a_line_without_an_end_holds_no_memory() {
    let mut reader = BufReader::new(std::io::repeat(b'x').take(LONGEST as u64 * 4));
    let mut line = Vec::new();
    let (length, kept) = next_line(&mut reader, &mut line, LONGEST).expect("no error");
    assert_eq!((length, kept), (LONGEST as u64 * 4, false));
    assert_eq!(line.capacity(), 0);
}
