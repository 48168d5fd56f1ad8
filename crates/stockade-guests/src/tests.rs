use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use super::*;

/// Runs the guest beside the test, unsandboxed: only guests that end by themselves.
fn run(guest: Guest, args: &[&str]) -> Output {
    run_with_input(guest, args, b"")
}

fn run_with_input(guest: Guest, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(guest.path)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the guest starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A guest that reads no input may be gone already.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the guest ends")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the guest prints text")
}

/// A directory of the test's own, removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("stockade-guests-{}-{name}", process::id()));
        fs::create_dir(&path).expect("the scratch directory is new");
        Self(path)
    }

    fn join(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is text").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The types of an ELF image's program headers, as in `elf(5)`, 64-bit and little-endian.
fn segment_types(image: &[u8]) -> Vec<u32> {
    let field = |at: usize, length: usize| {
        image[at..at + length].iter().rev().fold(0usize, |value, &byte| value << 8 | byte as usize)
    };
    let (table, size, count) = (field(32, 8), field(54, 2), field(56, 2));
    (0..count).map(|index| field(table + index * size, 4) as u32).collect()
}

#[test]
fn every_guest_has_a_story() {
    assert!(!ALL.is_empty());
    for guest in ALL {
        assert!(guest.story.ends_with('.'), "{}: {:?}", guest.name, guest.story);
    }
}

#[test]
fn names_are_unique() {
    let names: HashSet<_> = ALL.iter().map(|guest| guest.name).collect();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn every_guest_is_a_static_elf() {
    const LOAD: u32 = 1;
    const INTERPRETER: u32 = 3;
    for guest in ALL {
        assert_eq!(&guest.image[..6], b"\x7fELF\x02\x01", "{}", guest.name);
        let segments = segment_types(guest.image);
        assert!(segments.contains(&LOAD), "{}", guest.name);
        assert!(!segments.contains(&INTERPRETER), "{} is dynamic", guest.name);
    }
}

#[test]
fn every_portable_guest_and_no_other_is_a_module() {
    for guest in ALL {
        let source = format!("programs/portable/{}.c", guest.name);
        let portable = Path::new(env!("CARGO_MANIFEST_DIR")).join(source).is_file();
        let preamble = guest.module.map(|module| &module[..8]);
        let expected = portable.then_some(b"\0asm\x01\0\0\0".as_slice());
        assert_eq!(preamble, expected, "{}", guest.name);
    }
}

#[test]
fn the_path_is_absolute_and_holds_the_image() {
    for guest in ALL {
        assert!(Path::new(guest.path).is_absolute());
        assert!(fs::read(guest.path).expect("the executable is there") == guest.image);
    }
}

#[test]
fn install_writes_an_executable_copy() {
    let scratch = Scratch::new("install");
    let path = HELLO.install(&scratch.0).expect("the directory is writable");
    assert_eq!(path, scratch.0.join("hello"));
    let mode = fs::metadata(&path).expect("the copy is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(fs::read(&path).expect("the copy is readable") == HELLO.image);
    HELLO.install(&scratch.0).expect("a second time overwrites");
}

#[test]
fn install_into_a_missing_directory_is_not_found() {
    let error = HELLO.install(Path::new("/nonexistent")).expect_err("there is no such directory");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn plain_guests_do_what_they_say() {
    assert_eq!(text(&run(HELLO, &[])), "hello\n");
    assert_eq!(run(EXIT_CODE, &["7"]).status.code(), Some(7));
    assert_eq!(run_with_input(ECHO_STDIN, &[], b"a\0b").stdout, b"a\0b");
    assert_eq!(text(&run(PRINT_ARGS, &["a b", ""])), "a b\n\n");
    assert_eq!(run(MEMORY_BOMB, &["2"]).stdout, b"held 2 MiB\n");
    assert_eq!(text(&run(BURN_CPU, &["5"])), "cpu\n");
}

#[test]
fn the_environment_is_printed_as_given() {
    let mut command = Command::new(PRINT_ENV.path);
    let output = command.env_clear().env("A", "b c").output().expect("the guest runs");
    assert_eq!(output.stdout, b"A=b c\n");
}

#[test]
fn a_wrong_argument_is_exit_2() {
    assert_eq!(run(EXIT_CODE, &["x"]).status.code(), Some(2));
    assert_eq!(run(CAT, &[]).status.code(), Some(2));
    assert_eq!(run(KILL_PID, &["0"]).status.code(), Some(2));
}

#[test]
fn floods_end_at_the_asked_byte() {
    let flood = run(STDOUT_FLOOD, &["1000", "7"]);
    assert_eq!((flood.stdout.len(), flood.status.code()), (1000, Some(0)));
    let both = run_with_input(BOTH_PIPES_FLOOD, &["100000"], b"four");
    assert_eq!(both.stderr.len(), 100_000);
    assert!(both.stdout.ends_with(b"x\n4\n") && both.stdout.len() == 100_003);
}

#[test]
fn guests_die_by_the_signal_of_their_story() {
    for (guest, signal) in [(CRASH, 11), (ABORT, 6), (SELF_SIGKILL, 9)] {
        assert_eq!(run(guest, &[]).status.signal(), Some(signal), "{}", guest.name);
    }
}

#[test]
fn files_are_written_and_refused() {
    let scratch = Scratch::new("files");
    let path = scratch.join("file");
    let written = run(WRITE_FILE, &[&path, "70000"]);
    assert_eq!(text(&written), "wrote 70000 bytes\nwrite: ok\n");
    assert_eq!(run(CAT, &[&path]).stdout.len(), 70_000);

    let refused = run(WRITE_FILE, &[&scratch.join("missing/file"), "1"]);
    assert_eq!((text(&refused).as_str(), refused.status.code()), ("open: ENOENT\n", Some(3)));
    let flood = run(DISK_FLOOD, &[&scratch.join(""), "2"]);
    assert_eq!(text(&flood), "wrote 2097152 bytes in 2 files\nwrite: ok\n");

    let sparse = scratch.join("sparse");
    assert!(run(BIG_FILE, &[&sparse, "100000"]).status.success());
    assert_eq!(fs::metadata(&sparse).expect("the file is there").len(), 100_000);
}

#[test]
fn bombs_end_at_the_asked_size() {
    assert_eq!(text(&run(FORK_COUNT, &["3"])), "tasks 4\nfork: ok\n");
    assert_eq!(text(&run(THREAD_BOMB, &["3"])), "tasks 4\npthread_create: ok\n");
    assert_eq!(text(&run(ORPHAN_STORM, &["3", "1"])), "orphans 3\nfork: ok\n");
    assert!(text(&run(CPU_THREADS, &["2", "10"])).starts_with("cpu "));
    assert_eq!(text(&run(MEMFD_BOMB, &["17"])), "held 17 MiB\nwrite: ok\n");
    assert_eq!(text(&run(SHM_BOMB, &["17"])), "held 17 MiB\nshm: ok\n");
    let directory = env::temp_dir();
    let directory = directory.to_str().expect("the path is text");
    assert_eq!(text(&run(TMPFS_BOMB, &["2", directory])), "held 2 MiB\nwrite: ok\n");
}

#[test]
fn guests_that_endanger_the_host_stay_away_from_it() {
    let namespace = fs::read_link("/proc/self/ns/pid").expect("/proc is mounted");
    // Inside a container there is no host to recognise, and the guests would do as they say.
    if namespace == Path::new("pid:[4026531836]") {
        assert_eq!(run(FORK_BOMB, &[]).status.code(), Some(2));
        assert_eq!(run(KILL_ALL, &[]).status.code(), Some(2));
    }
}

#[test]
fn a_grandchild_keeps_the_pipe_after_the_parent_is_done() {
    let begin = Instant::now();
    let mut child = Command::new(GRANDCHILD_HOLDS_PIPE.path)
        .arg("1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the guest starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    assert!(child.wait().expect("the parent ends").success());
    assert_eq!(lines.next().expect("there is a line").expect("it is text"), "parent done");
    assert!(lines.next().is_none());
    assert!(begin.elapsed() >= Duration::from_secs(1), "the pipe ended with the parent");
}

#[test]
fn guests_tell_what_they_see() {
    assert!(text(&run(STATUS, &[])).contains("NoNewPrivs:\t"));
    assert!(text(&run(LIST_FDS, &[])).lines().any(|line| line.starts_with("1 pipe:")));
    assert!(text(&run(LIST_PROCESSES, &[])).lines().any(|line| line == "1"));
    assert!(text(&run(INTERFACES, &[])).lines().any(|line| line.starts_with("lo ")));
    assert!(text(&run(MOUNTS, &[])).contains(" / / "));
    assert!(text(&run(SESSION, &[])).contains("\nsid "));
}

#[test]
fn a_system_call_by_number_tells_result_and_errno() {
    let missing = run(TRY_SYSCALL, &["100000"]);
    assert_eq!((text(&missing).as_str(), missing.status.code()), ("-1 38\n", Some(3)));
    // lseek of a closed descriptor, with arguments in any notation.
    let lseek = if cfg!(target_arch = "x86_64") { "8" } else { "62" };
    assert_eq!(text(&run(TRY_SYSCALL, &[lseek, "0x63", "-1", "0"])), "-1 9\n");
}

#[test]
fn the_32_bit_entry_is_there_or_faults() {
    let output = run(INT80, &[]);
    match output.status.code() {
        Some(0) => assert!(["int80: ok\n", "n/a\n"].contains(&text(&output).as_str())),
        Some(3) => assert_eq!(text(&output), "int80: ENOSYS\n"),
        // A kernel without 32-bit support has no such gate.
        _ => assert_eq!(output.status.signal(), Some(11)),
    }
}

#[test]
fn sockets_work_outside_a_sandbox() {
    assert_eq!(text(&run(SOCKET_FAMILY, &["1"])), "socket: ok\n");
    assert_eq!(text(&run(SOCKET_FAMILY, &["99"])), "socket: EAFNOSUPPORT\n");

    let name = format!("stockade-guests-{}", process::id());
    let mut server = Command::new(ABSTRACT_LISTEN.path)
        .args([&name, "10000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the guest starts");
    let mut lines = BufReader::new(server.stdout.take().expect("stdout is piped")).lines();
    assert_eq!(lines.next().expect("there is a line").expect("it is text"), "listening");
    assert_eq!(text(&run(ABSTRACT_CONNECT, &[&name])), "connect: ok\n");
    server.kill().expect("the server is killed");
    server.wait().expect("the server ends");

    let refused = run(ABSTRACT_CONNECT, &[&name]);
    assert_eq!(
        (text(&refused).as_str(), refused.status.code()),
        ("connect: ECONNREFUSED\n", Some(3))
    );
}

#[test]
fn the_standard_streams_open_by_name() {
    let output = run(WRITE_DEV_STDERR, &[]);
    assert_eq!((text(&output).as_str(), output.status.code()), ("to stdout\n", Some(0)));
    assert_eq!(output.stderr, b"to stderr\n");
}

#[test]
fn a_terminal_takes_no_injection_through_pipes() {
    let output = run(TIOCSTI, &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(text(&output).lines().count(), 12);
}

#[test]
fn a_set_user_id_file_can_be_made_outside_a_sandbox() {
    let scratch = Scratch::new("setuid");
    let path = scratch.join("file");
    assert_eq!(run(SETUID_FILE, &[&path]).status.code(), Some(0));
    let mode = fs::metadata(&path).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o4755);
}
