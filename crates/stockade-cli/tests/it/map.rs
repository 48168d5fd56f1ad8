//! `stockade map`: jobs as lines, reports as lines.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{Outcome, TempDir, approximated, call, feed, stockade};

/// `map`, accepting what this host can only approximate.
fn map_command(words: &[&str]) -> Command {
    let mut command = stockade();
    command.arg("map");
    let controls = approximated();
    if !controls.is_empty() {
        command.args(["--best-effort", controls]);
    }
    command.args(words);
    command
}

fn start(words: &[&str]) -> Child {
    let mut command = map_command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Maps these lines; gives the exit status, what was said, and the answers in the order of lines.
fn map(words: &[&str], lines: &str) -> (Outcome, Vec<Value>) {
    let outcome = Outcome::from(feed(start(words), lines.as_bytes().to_vec()));
    let answers = answers(&outcome.stdout);
    (outcome, answers)
}

fn answers(text: &str) -> Vec<Value> {
    let parse = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(answer) => answer,
        Err(error) => panic!("{error} in {line:?}"),
    };
    let mut answers: Vec<_> = text.lines().map(parse).collect();
    answers.sort_by_key(|answer| answer["line"].as_u64());
    answers
}

fn line(job: Value) -> String {
    format!("{job}\n")
}

/// Tells the command to end, as Ctrl-C does.
fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh starts").success());
}

#[test]
fn each_job_has_its_own_words_input_environment_and_place() {
    let script = "read word; echo $0 $word $NAME $(pwd); echo oops >&2; exit 3";
    let lines = [
        line(json!({"id": "first", "program": "sh", "args": ["-c", script, "a"],
            "stdin": "b\n", "env": {"NAME": "c"}, "cwd": "/usr"})),
        line(json!({"program": "sh", "args": ["-c", script], "stdin": {"base64": "eAo="}})),
    ];
    let (outcome, answers) = map(&["--env", "NAME=d"], &lines.concat());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{answers:#?}");
    assert_eq!(answers[0]["id"], "first");
    assert_eq!(answers[0]["stdout"], "a b c /usr\n");
    assert_eq!(answers[0]["stderr"], "oops\n");
    assert_eq!(answers[0]["report"]["verdict"], json!({"kind": "exited", "code": 3}));
    assert_eq!(answers[0]["report"]["backend"], "namespace");
    assert!(answers[0]["report"]["backend_reason"].is_string());
    assert_eq!((&answers[1]["id"], &answers[1]["line"]), (&Value::Null, &2.into()));
    assert_eq!(answers[1]["stdout"], "sh x d /tmp\n");
}

#[test]
fn output_that_is_no_text_is_base64() {
    let job = line(json!({"program": "printf", "args": ["\\377\\000"]}));
    let (_, answers) = map(&[], &job);
    assert_eq!(answers[0]["stdout"], json!({"base64": "/wA="}), "{answers:#?}");
}

#[test]
fn modules_and_programs_share_a_stream() {
    let dir = TempDir::new();
    let module = wat::parse_str("(module (func (export \"_start\") unreachable))");
    let module = dir.file("trap.wasm", module.expect("a module"));
    let lines = [line(json!({"program": module})), line(json!({"program": "true"}))].concat();
    let (outcome, answers) = map(&[], &lines);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(answers[0]["report"]["backend"], "wasm");
    assert_eq!(answers[0]["report"]["verdict"]["kind"], "trapped");
    let reason = answers[0]["report"]["backend_reason"].as_str().expect("a reason");
    assert!(reason.contains("WebAssembly"), "{reason}");
    assert_eq!(answers[1]["report"]["backend"], "namespace");
}

#[test]
fn a_bad_line_has_an_error_and_the_others_go_on() {
    let lines = concat!(
        "{\"program\": \"true\"}\n",
        "this is no JSON\n",
        "\n",
        "{\"id\": 5, \"program\": \"true\", \"colour\": \"red\"}\n",
        "{\"id\": 6, \"program\": \"no-such-program\"}\n",
        "{\"id\": 7, \"program\": \"true\", \"cwd\": \"tmp\"}\r\n",
        "{\"program\": \"true\"}",
    );
    let (outcome, answers) = map(&[], lines);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("4 of 6 jobs have no report"), "{outcome:?}");
    let numbers: Vec<_> = answers.iter().map(|answer| answer["line"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7].map(Some));
    for (place, id, kind, named) in [
        (1, Value::Null, "invalid_policy", "line 2 is no job"),
        (2, 5.into(), "invalid_policy", "unknown field `colour`"),
        (3, 6.into(), "not_found", "no-such-program"),
        (4, 7.into(), "invalid_policy", "process.cwd"),
    ] {
        let answer = &answers[place];
        let error = &answer["error"];
        assert_eq!((&answer["id"], &error["kind"]), (&id, &kind.into()), "{answer}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(named)), "{answer}");
        assert!(error["hint"].is_string(), "{answer}");
        assert_eq!(answer["report"], Value::Null);
    }
    assert!(answers[2]["error"]["message"].as_str().is_some_and(|text| text.contains("line 4")));
    assert!(answers[0]["report"].is_object() && answers[5]["report"].is_object());
}

#[test]
fn a_line_that_is_too_long_is_passed_over() {
    let mut lines = line(json!({"program": "true"}));
    lines += &line(json!({"program": "cat", "stdin": "x".repeat(17 << 20)}));
    lines += &line(json!({"program": "true"}));
    let (outcome, answers) = map(&[], &lines);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let message = answers[1]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("line 2 is longer than"), "{message}");
    assert!(answers[0]["report"].is_object() && answers[2]["report"].is_object());
}

#[test]
fn no_job_is_no_answer() {
    for lines in ["", "\n\n  \n"] {
        let (outcome, answers) = map(&[], lines);
        assert_eq!((outcome.code, answers.len(), outcome.stderr.as_str()), (0, 0, ""));
    }
}

#[test]
fn where_nothing_could_start_the_status_is_125() {
    let (outcome, answers) = map(&[], "{\"program\": \"no-such-program\"}\n");
    assert_eq!((outcome.code, answers.len()), (125, 1), "{outcome:?}");
    for (words, named) in [
        (&["map", "--jobs", "/no/such/jobs"][..], "cannot read jobs from /no/such/jobs"),
        (&["map", "--jobs", "/usr"], "cannot read jobs from /usr"),
        (&["map", "--reports", "/no/such/dir/out"], "cannot write reports to /no/such/dir/out"),
        (&["map", "--memory", "1"], "`limits.memory = 1`"),
        (&["map", "--policy", "/no/such/policy"], "/no/such/policy"),
    ] {
        let outcome = call(words);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (125, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(named), "{outcome:?}");
    }
}

#[test]
fn a_misused_command_line_is_status_2() {
    for words in [&["map", "--max-parallel", "0"][..], &["map", "true"], &["map", "--fuel", "-1"]] {
        assert_eq!(call(words).code, 2, "{words:?}");
    }
    let help = call(&["map", "--help"]);
    for part in ["Limits:", "Files:", "Exit status:", "Examples:", "--max-parallel", "\"base64\""] {
        assert!(help.stdout.contains(part), "no {part} in {}", help.stdout);
    }
}

#[test]
fn files_can_take_the_place_of_streams() {
    let dir = TempDir::new();
    let jobs = dir.file("jobs", line(json!({"program": "echo", "args": ["hello"]})));
    let output = dir.file("reports", "what was there before");
    let (outcome, _) = map(&["--jobs", &jobs, "--reports", &output], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:?}");
    let written = std::fs::read_to_string(&output).expect("a file");
    assert_eq!(answers(&written)[0]["stdout"], "hello\n");
}

#[test]
fn reports_do_not_take_the_place_of_their_jobs() {
    let dir = TempDir::new();
    let text = line(json!({"program": "true"}));
    let jobs = dir.file("jobs", &text);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&jobs, &link).expect("a link");
    let (outcome, _) = map(&["--jobs", &jobs, "--reports", link.to_str().expect("text")], "");
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("the jobs are in that file"), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&jobs).expect("a file"), text);
}

/// Runs a command with standard error on a terminal; prints what that shows after what it printed.
const TERMINAL: &str = r#"
import os, pty, subprocess, sys
side, inside = pty.openpty()
done = subprocess.run(sys.argv[1:], stdin=0, stdout=subprocess.PIPE, stderr=inside)
os.close(inside)
shown = b""
try:
    while part := os.read(side, 4096): shown += part
except OSError:
    pass
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(shown)
sys.exit(done.returncode)
"#;

#[test]
fn a_terminal_shows_how_far_it_is_and_the_reports_do_not() {
    let dir = TempDir::new();
    let text = line(json!({"program": "true"})).repeat(3);
    let jobs = dir.file("jobs", &text);
    let command = map_command(&["--jobs", &jobs]);
    let mut python = Command::new("python3");
    python.args(["-c", TERMINAL]).arg(command.get_program()).args(command.get_args());
    let output = python.env("TERM", "xterm").stdin(Stdio::null()).output();
    let outcome = Outcome::from(output.expect("python3 starts"));
    assert_eq!((outcome.code, answers(&outcome.stdout).len()), (0, 3), "{outcome:?}");
    assert!(
        outcome.stderr.contains("done, ") && outcome.stderr.contains(" running"),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains('\x1b'), "{outcome:?}");
}

#[test]
fn an_answer_comes_while_the_next_job_is_still_to_be_written() {
    let mut child = start(&[]);
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    for word in ["one", "two", "three"] {
        let job = line(json!({"program": "echo", "args": [word]}));
        input.write_all(job.as_bytes()).expect("it reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("a line");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["stdout"], format!("{word}\n"));
    }
    drop(input);
    assert_eq!(child.wait().expect("the command ends").code(), Some(0));
}

#[test]
fn a_thousand_jobs_have_a_thousand_answers() {
    let jobs = (0..1000).map(|id| line(json!({"id": id, "program": "/bin/true"})));
    let (outcome, answers) = map(&[], &jobs.collect::<String>());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert_eq!(answers.len(), 1000);
    for (place, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], place);
        assert_eq!(answer["report"]["verdict"]["code"], 0, "{answer}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_batch_quietly() {
    // The programs that still run would take minutes, and so would the input.
    let mut child = start(&["--max-parallel", "2"]);
    let mut input = child.stdin.take().expect("a pipe");
    let quick = line(json!({"program": "true"}));
    let slow = line(json!({"program": "sleep", "args": ["25"]}));
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    input.write_all(quick.as_bytes()).expect("it reads");
    output.read_line(&mut String::new()).expect("a line");
    drop(output);
    input.write_all([slow, quick].concat().as_bytes()).expect("it reads");
    let begun = Instant::now();
    let outcome = Outcome::from(child.wait_with_output().expect("the command ends"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (141, ""));
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(input);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let mut command = map_command(&[]);
    let child = command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped()).spawn();
    let job = line(json!({"program": "true"}));
    let output: Output = feed(child.expect("the command starts"), job.into_bytes());
    let outcome = Outcome::from(output);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot write standard output"), "{outcome:?}");
}

#[test]
fn an_interrupt_kills_every_program_and_keeps_what_is_known() {
    let mut child = start(&["--max-parallel", "2"]);
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let quick = line(json!({"id": "quick", "program": "true"}));
    let slow = line(json!({"id": "slow", "program": "sleep", "args": ["25"]}));
    input.write_all([quick, slow].concat().as_bytes()).expect("it reads");
    let mut first = String::new();
    output.read_line(&mut first).expect("a line");
    // The second program may not have started yet; then it has no answer.
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    interrupt(&child);
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    let outcome = Outcome::from(child.wait_with_output().expect("the command ends"));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(outcome.code, 130, "{outcome:?}");
    let said = "stockade: interrupted by SIGINT: every program was killed";
    assert!(outcome.stderr.starts_with(said), "{outcome:?}");
    assert_eq!(answers(&first)[0]["id"], "quick");
    for answer in answers(&rest) {
        assert_eq!((&answer["id"], &answer["line"]), (&"slow".into(), &2.into()));
        assert_eq!(answer["report"]["verdict"]["kind"], "cancelled");
    }
    drop(input);
}

#[test]
fn an_interrupt_ends_a_command_that_waits_for_jobs() {
    let mut child = start(&[]);
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    // Once it answers, it listens.
    let job = line(json!({"program": "true"}));
    input.write_all(job.as_bytes()).expect("it reads");
    output.read_line(&mut String::new()).expect("a line");
    interrupt(&child);
    let outcome = Outcome::from(child.wait_with_output().expect("the command ends"));
    assert_eq!(outcome.code, 130, "{outcome:?}");
    drop(input);
}
