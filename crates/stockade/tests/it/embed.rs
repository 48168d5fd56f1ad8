//! Runs in the background and their streams, over native programs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use stockade::embed::{Account, Background, Chunk, Forked, Misdirected, Owned};
use stockade::embed::{Sink, Source, Streams};
use stockade::{
    Error, ErrorKind, Execution, GoOn, Killer, Program, Report, Result as Outcome, Sandbox, Verdict,
};

use crate::batch::{native, policy};

/// More than a pipe holds, and less than the limit.
const MUCH: usize = 1 << 19;
const PRINT_MUCH: &str = "head -c 524288 /dev/zero";

/// Until something is taken to hang.
const LONG: Duration = Duration::from_secs(30);

/// One for all tests; without, they are skipped.
fn sandbox(test: &str) -> Option<&'static dyn Sandbox> {
    static SANDBOX: OnceLock<Arc<dyn Sandbox>> = OnceLock::new();
    if SANDBOX.get().is_none() {
        let _ = SANDBOX.set(native(test)?);
    }
    SANDBOX.get().map(|sandbox| &**sandbox)
}

fn watch(
    sandbox: &dyn Sandbox,
    script: &str,
    stdin: Source,
    [stdout, stderr]: [Sink; 2],
) -> Background {
    let mut streams = Streams::open(stdin, stdout, stderr).expect("streams");
    let program = Program::executable("sh").args(["-c", script]);
    let run = sandbox.start(&policy(sandbox), &program, streams.stdio()).expect("it starts");
    Background::watch(run, streams).expect("a thread")
}

fn report(run: &Background) -> Arc<Report> {
    assert!(run.wait(Some(LONG)), "it ends");
    run.poll().expect("it is over").expect("a report")
}

fn pipe(run: &Background, stream: usize) -> File {
    File::from(run.take_pipe(stream).expect("a pipe"))
}

fn rings(bell: impl AsFd, time: Duration) -> bool {
    let mut fds = [PollFd::new(&bell, PollFlags::IN)];
    let time = Timespec::try_from(time).expect("a time");
    poll(&mut fds, Some(&time)).expect("a poll") == 1
}

fn block(writer: &PipeWriter, block: bool) {
    let flags = fcntl_getfl(writer).expect("flags");
    fcntl_setfl(writer, if block { flags - OFlags::NONBLOCK } else { flags | OFlags::NONBLOCK })
        .expect("flags");
}

/// Leaves no room in a pipe, however small it is.
fn fill(mut writer: &PipeWriter) {
    block(writer, false);
    while writer.write(&[0; 4096]).is_ok() {}
    block(writer, true);
}

#[test]
fn pipes_are_live_in_both_directions() {
    let Some(sandbox) = sandbox("pipes_are_live_in_both_directions") else { return };
    let run = watch(sandbox, "cat; cat nothing", Source::Pipe, [Sink::Pipe, Sink::Pipe]);
    let (mut stdin, stdout, mut stderr) = (pipe(&run, 0), pipe(&run, 1), pipe(&run, 2));
    assert!((0..4).all(|stream| run.take_pipe(stream).is_none()));

    let mut lines = BufReader::new(stdout).lines();
    for line in ["one", "two"] {
        writeln!(stdin, "{line}").expect("it reads");
        assert_eq!(lines.next().expect("a line").expect("it can be read"), line);
    }
    assert!(run.poll().is_none());
    drop(stdin);
    assert!(lines.next().is_none());
    let mut complaint = String::new();
    stderr.read_to_string(&mut complaint).expect("text");
    assert!(complaint.contains("nothing"), "{complaint}");
    assert_eq!(report(&run).verdict, Verdict::Exited { code: 1 });
}

#[test]
fn the_bell_rings_when_the_run_is_over_and_goes_on_ringing() {
    let test = "the_bell_rings_when_the_run_is_over_and_goes_on_ringing";
    let Some(sandbox) = sandbox(test) else { return };
    let captured = [Sink::Captured, Sink::Captured];
    let run = watch(sandbox, "cat; echo end >&2", Source::Pipe, captured);
    let mut stdin = pipe(&run, 0);
    stdin.write_all(b"text").expect("it reads");
    assert!(!rings(run.bell(), Duration::from_millis(50)));
    assert!(!run.wait(Some(Duration::from_millis(10))) && run.poll().is_none());
    drop(stdin);
    assert!(rings(run.bell(), LONG) && rings(run.bell(), LONG));
    assert!(run.wait(None));
    let report = report(&run);
    assert_eq!((&report.stdout[..], &report.stderr[..]), (&b"text"[..], &b"end\n"[..]));
}

#[test]
fn all_of_the_output_is_in_its_file_when_the_run_is_over() {
    let test = "all_of_the_output_is_in_its_file_when_the_run_is_over";
    let Some(sandbox) = sandbox(test) else { return };
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let script = format!("cat; echo too >&2; {PRINT_MUCH}");
    let input = Source::Descriptor(File::open("/proc/self/status").expect("a file").into());
    let sinks = [Sink::Descriptor(writer.into()), Sink::Stdout];
    let run = watch(sandbox, &script, input, sinks);
    assert!(run.take_pipe(1).is_none());
    // Nobody reads, so it is not over, although the program may be.
    assert!(!run.wait(Some(Duration::from_millis(200))));
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("bytes");
    assert_eq!(report(&run).verdict, Verdict::Exited { code: 0 });
    for text in ["Name:", "too\n"] {
        assert!(bytes.windows(text.len()).any(|found| found == text.as_bytes()), "{text}");
    }
    assert_eq!(bytes.iter().filter(|byte| **byte == 0).count(), MUCH);
}

#[test]
fn a_descriptor_that_does_not_block_loses_nothing() {
    let Some(sandbox) = sandbox("a_descriptor_that_does_not_block_loses_nothing") else { return };
    let (mut reader, writer) = io::pipe().expect("a pipe");
    block(&writer, false);
    let sinks = [Sink::Descriptor(writer.into()), Sink::Discarded];
    let run = watch(sandbox, PRINT_MUCH, Source::Empty, sinks);
    thread::sleep(Duration::from_millis(100));
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("bytes");
    assert_eq!(bytes.len(), MUCH);
    assert_eq!(report(&run).verdict, Verdict::Exited { code: 0 });
}

/// What has come from each output, until both have ended.
fn collect(chunks: &Receiver<Chunk>) -> [Vec<u8>; 2] {
    let mut seen = [Vec::new(), Vec::new()];
    for chunk in chunks {
        assert!((1..=64 << 10).contains(&chunk.bytes.len()), "{}", chunk.bytes.len());
        seen[chunk.stream - 1].extend(chunk.bytes);
    }
    seen
}

#[test]
fn a_channel_has_the_chunks_of_both_outputs_and_ends() {
    let test = "a_channel_has_the_chunks_of_both_outputs_and_ends";
    let Some(sandbox) = sandbox(test) else { return };
    let (to, chunks) = sync_channel(1);
    let script = format!("echo problem >&2; {PRINT_MUCH}");
    let sinks = [Sink::Chunks(to.clone()), Sink::Chunks(to)];
    let run = watch(sandbox, &script, Source::Empty, sinks);
    let [stdout, stderr] = collect(&chunks);
    assert_eq!((stdout.len(), &stderr[..]), (MUCH, &b"problem\n"[..]));
    assert_eq!(report(&run).usage.stdout_bytes, MUCH as u64);

    let (to, chunks) = sync_channel(1);
    let sinks = [Sink::Chunks(to), Sink::Stdout];
    let run = watch(sandbox, "echo a; echo b >&2", Source::Empty, sinks);
    let [stdout, stderr] = collect(&chunks);
    assert_eq!((stdout.len(), stderr.len()), (4, 0));
    assert_eq!(report(&run).verdict, Verdict::Exited { code: 0 });
}

#[test]
fn a_program_whose_receiver_has_left_has_a_closed_pipe() {
    let test = "a_program_whose_receiver_has_left_has_a_closed_pipe";
    let Some(sandbox) = sandbox(test) else { return };
    let (to, chunks) = sync_channel(1);
    let run =
        watch(sandbox, "exec yes", Source::Empty, [Sink::Chunks(to.clone()), Sink::Discarded]);
    drop(to);
    assert_eq!(chunks.recv().expect("a chunk").stream, 1);
    drop(chunks);
    assert!(matches!(report(&run).verdict, Verdict::Signaled { number: 13, .. }));
}

#[test]
fn kill_ends_a_run_whose_output_nobody_takes() {
    let Some(sandbox) = sandbox("kill_ends_a_run_whose_output_nobody_takes") else { return };
    let (reader, writer) = io::pipe().expect("a pipe");
    let (to, chunks) = sync_channel(0);
    let sinks = [Sink::Descriptor(writer.into()), Sink::Chunks(to)];
    let run = watch(sandbox, "yes >&2 & exec yes", Source::Empty, sinks);
    assert!(rings(&reader, LONG), "it prints");
    run.kill();
    assert_eq!(report(&run).verdict, Verdict::Cancelled);
    run.kill();
    assert_eq!(report(&run).verdict, Verdict::Cancelled);
    drop((reader, chunks));
}

#[test]
fn kill_ends_the_wait_for_what_a_program_that_is_over_has_printed() {
    let test = "kill_ends_the_wait_for_what_a_program_that_is_over_has_printed";
    let Some(sandbox) = sandbox(test) else { return };
    let (reader, writer) = io::pipe().expect("a pipe");
    fill(&writer);
    let sinks = [Sink::Descriptor(writer.into()), Sink::Pipe];
    let run = watch(sandbox, "echo end", Source::Empty, sinks);
    let mut rest = Vec::new();
    pipe(&run, 2).read_to_end(&mut rest).expect("its end");
    assert!(!run.wait(Some(Duration::from_millis(100))));
    run.kill();
    // The program may have been over when it was killed, or the report still be on its way.
    report(&run);
    drop(reader);
}

#[test]
fn dropping_kills_and_finishing_waits_for_the_end() {
    let Some(sandbox) = sandbox("dropping_kills_and_finishing_waits_for_the_end") else { return };
    let sinks = || [Sink::Pipe, Sink::Captured];
    let run = watch(sandbox, "exec sleep 60", Source::Empty, sinks());
    let mut stdout = pipe(&run, 1);
    let begun = Instant::now();
    drop(run);
    assert_eq!(stdout.read(&mut [0]).expect("its end"), 0);

    let run = watch(sandbox, "exec sleep 60", Source::Empty, sinks());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                run.finish();
                let ended = run.poll().expect("it is over").expect("a report");
                assert_eq!(ended.verdict, Verdict::Cancelled);
            });
        }
    });
    assert!(begun.elapsed() < LONG);
}

#[test]
fn streams_are_still_without_pipes_and_threads() {
    let (to, chunks) = sync_channel(1);
    let (_, writer) = io::pipe().expect("a pipe");
    let null = || OwnedFd::from(File::open("/dev/null").expect("a device"));
    let still =
        |stdin, stdout, stderr| Streams::open(stdin, stdout, stderr).expect("streams").is_still();
    assert!(still(Source::Empty, Sink::Captured, Sink::Discarded));
    assert!(still(Source::Bytes(vec![1]), Sink::Discarded, Sink::Stdout));
    assert!(still(Source::Descriptor(null()), Sink::Captured, Sink::Captured));
    assert!(!still(Source::Pipe, Sink::Captured, Sink::Captured));
    assert!(!still(Source::Empty, Sink::Pipe, Sink::Captured));
    assert!(!still(Source::Empty, Sink::Captured, Sink::Descriptor(writer.into())));
    assert!(!still(Source::Empty, Sink::Chunks(to), Sink::Stdout));
    assert_eq!(chunks.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn standard_error_cannot_go_where_captured_output_goes() {
    for (stdout, expected) in
        [(Sink::Captured, Misdirected::ToCaptured), (Sink::Stdout, Misdirected::ToItself)]
    {
        let error = Streams::open(Source::Empty, stdout, Sink::Stdout).expect_err("nowhere");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let inner = error.get_ref().expect("a cause").downcast_ref::<Misdirected>();
        assert_eq!(inner, Some(&expected));
    }
}

/// A run whose wait panics.
struct Broken;

impl Killer for Broken {
    fn kill(&self) {}
}

impl Execution for Broken {
    fn stdin(&mut self) -> Option<Box<dyn Write + Send>> {
        None
    }

    fn stdout(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn stderr(&mut self) -> Option<Box<dyn Read + Send>> {
        None
    }

    fn killer(&self) -> Arc<dyn Killer> {
        Arc::new(Self)
    }

    fn wait(self: Box<Self>) -> Outcome<Report> {
        panic!("a defect")
    }

    fn wait_while(self: Box<Self>, _go_on: GoOn) -> Outcome<Report> {
        self.wait()
    }
}

#[test]
fn a_panic_while_waiting_is_an_error_of_the_run() {
    let streams = Streams::open(Source::Empty, Sink::Captured, Sink::Captured).expect("streams");
    let run = Background::watch(Box::new(Broken), streams).expect("a thread");
    assert!(run.wait(Some(LONG)), "somebody tells");
    let error = run.poll().expect("it is over").expect_err("no report");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(rings(run.bell(), Duration::ZERO));
    run.finish();
}

#[test]
fn a_background_and_an_owned_value_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Background>();
    shared::<Owned<Background>>();

    assert_eq!(Owned::new(5).get(), Ok(&5));
    let error = Error::from(Forked);
    assert_eq!(error.kind(), ErrorKind::HostLost);
    assert_eq!(error.hint(), Some("make a new one after fork()"));
}

#[test]
fn an_account_has_all_that_an_error_says() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Around(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>);

    let root = Around("opening", io::Error::from_raw_os_error(2).into());
    let error = Error::new(ErrorKind::Setup, Around("a step", root.into()));
    let account = serde_json::to_value(Account::of(&error)).expect("JSON");
    let message = "a step: opening: No such file or directory (os error 2)";
    let expected = serde_json::json!({
        "kind": "setup", "message": message, "hint": null, "errno": 2, "unmet": [],
    });
    assert_eq!(account, expected);

    let modules = crate::sandbox();
    let mut policy = crate::policy();
    policy.limits.cpus = Some(stockade::Cpus::from_milli(500));
    let program = Program::module(wat::parse_str("(module)").expect("a module"));
    let error = modules.prepare(&policy, &program).err().expect("it is approximated");
    let account = serde_json::to_value(Account::of(&error)).expect("JSON");
    assert_eq!((&account["kind"], &account["errno"]), (&"unsupported".into(), &().into()));
    assert_eq!(account["unmet"][0]["control"], "cpus");
    assert_eq!(account["unmet"][0]["approximable"], true);
    assert!(account["unmet"][0]["reason"].is_string(), "{account}");
}
