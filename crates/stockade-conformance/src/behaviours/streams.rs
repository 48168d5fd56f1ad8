//! What goes into a program and comes out of it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use stockade::Stdio;
use stockade_guests as guests;

use crate::{Job, Scratch, Subject};

/// More than a pipe holds, with every byte there is.
fn bytes() -> Vec<u8> {
    (0..300_000u32).map(|n| (n % 251) as u8 ^ (n >> 12) as u8).collect()
}

fn echo(subject: &dyn Subject, stdio: Stdio) -> Vec<u8> {
    let report = Job::new(subject, &guests::ECHO_STDIN).run_with(stdio);
    assert!(report.verdict.success(), "{:?}", report.verdict);
    report.stdout
}

pub(super) fn no_input_is_end_of_file(subject: &dyn Subject) {
    assert_eq!(echo(subject, Stdio::captured()), b"");
}

pub(super) fn bytes_are_read_as_given(subject: &dyn Subject) {
    assert!(echo(subject, Stdio::captured().stdin(bytes())) == bytes());
}

pub(super) fn a_file_is_read_from_its_position(subject: &dyn Subject) {
    let scratch = Scratch::new();
    let mut file = File::open(scratch.file("input", bytes())).expect("it was written just now");
    file.seek(SeekFrom::Start(1000)).expect("files can be sought");
    assert!(echo(subject, Stdio::captured().stdin(file)) == bytes()[1000..]);
}

pub(super) fn a_pipe_is_read_to_its_end(subject: &dyn Subject) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let feeder = thread::spawn(move || {
        for part in bytes().chunks(100_000) {
            writer.write_all(part).expect("somebody reads it");
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert!(echo(subject, Stdio::captured().stdin(OwnedFd::from(reader))) == bytes());
    feeder.join().expect("all was written");
}

pub(super) fn streamed_input_and_output_are_live(subject: &dyn Subject) {
    let mut run = Job::new(subject, &guests::ECHO_STDIN).start(Stdio::streamed());
    let mut input = run.stdin().expect("input is streamed");
    let mut output = run.stdout().expect("output is streamed");
    assert!(run.stdin().is_none(), "it is given once");
    for word in [b"one ", b"two ", b"six "] {
        // Each answer comes before the next question is asked, so nothing waits for the end.
        input.write_all(word).expect("the program reads");
        let mut answer = [0; 4];
        output.read_exact(&mut answer).expect("the program answers");
        assert_eq!(&answer, word);
    }
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("the end can be read");
    assert_eq!(rest, b"");
    assert!(Job::wait(run).expect("the run is reported").verdict.success());
}

pub(super) fn both_outputs_are_captured_exactly(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::BOTH_PIPES_FLOOD)
        .args(["5"])
        .run_with(Stdio::captured().stdin("three"));
    assert_eq!(report.stdout, b"xxxxx\n5\n");
    assert_eq!(report.stderr, b"xxxxx");
}

pub(super) fn full_pipes_and_pending_input_do_not_deadlock(subject: &dyn Subject) {
    let size = 512 << 10;
    let report = Job::new(subject, &guests::BOTH_PIPES_FLOOD)
        .args([size.to_string()])
        .run_with(Stdio::captured().stdin(vec![b'i'; size]));
    assert!(report.verdict.success(), "{:?}", report.verdict);
    assert!(report.stdout.ends_with(format!("\n{size}\n").as_bytes()));
    assert_eq!(report.stderr.len(), size);
}

pub(super) fn input_that_nobody_reads_does_not_delay_the_end(subject: &dyn Subject) {
    let report = Job::new(subject, &guests::HELLO).run_with(Stdio::captured().stdin(bytes()));
    assert!(report.verdict.success(), "{:?}", report.verdict);
    assert_eq!(report.stdout, b"hello\n");
}

pub(super) fn a_grandchild_that_holds_the_pipes_does_not_delay_the_end(subject: &dyn Subject) {
    let begun = Instant::now();
    let report = Job::new(subject, &guests::GRANDCHILD_HOLDS_PIPE).args(["20"]).run();
    assert!(report.verdict.success(), "{:?}", report.verdict);
    assert_eq!(report.stdout, b"parent done\n");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

pub(super) fn writing_to_a_program_that_has_ended_fails(subject: &dyn Subject) {
    let mut run = Job::new(subject, &guests::EXIT_CODE).args(["0"]).start(Stdio::streamed());
    let mut input = run.stdin().expect("input is streamed");
    // More than anything takes that nobody reads; and nobody waits for the run meanwhile.
    let (say, result) = channel();
    thread::spawn(move || say.send(input.write_all(&vec![0; 1 << 22]).map_err(|e| e.kind())));
    let result = result.recv_timeout(Duration::from_secs(30)).expect("writing ends");
    assert_eq!(result, Err(ErrorKind::BrokenPipe));
    assert!(Job::wait(run).expect("the run is reported").verdict.success());
}
