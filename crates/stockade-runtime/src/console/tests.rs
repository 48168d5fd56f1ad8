use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};
use rustix::termios::LocalModes;

use super::*;
use crate::tests::{self, UNSHARE, inside, is_inside};

fn size(rows: u64, columns: u64) -> oci_spec::runtime::Box {
    serde_json::from_value(serde_json::json!({"height": rows, "width": columns})).expect("a size")
}

#[test]
fn a_terminal_has_its_size_and_is_received_where_it_is_sent() {
    let console = Console::open(Some(size(33, 77))).expect("there is a devpts");
    let (ours, theirs) = pair().expect("a socket");
    console.send(theirs.as_fd()).expect("it is sent");
    let master = receive(ours.as_fd()).expect("it is received");
    let size = termios::tcgetwinsize(&master).expect("a terminal");
    assert_eq!((size.ws_row, size.ws_col), (33, 77));
    assert_eq!(pty::ptsname(&master, Vec::new()), Ok(console.name.clone()));
    let flags = rustix::io::fcntl_getfd(&master).expect("it is open");
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    rustix::io::write(console.slave(), b"word\n").expect("it is written");
    let mut bytes = [0; 16];
    let length = rustix::io::read(&master, &mut bytes).expect("it is read");
    assert_eq!(bytes.get(..length), Some(&b"word\r\n"[..]));
    drop(theirs);
    let failure = receive(ours.as_fd()).expect_err("nobody sends another").to_string();
    assert!(failure.contains("sent no terminal"), "{failure}");
    Console::open(Some(self::size(1 << 16, 1))).err().expect("no terminal is that large");
}

#[test]
fn a_console_socket_is_connected_to_however_long_its_path_is() {
    let root = std::env::temp_dir().join(format!("stockade-console-{}", std::process::id()));
    let folder = root.join("a".repeat(120)).join("b".repeat(120));
    std::fs::create_dir_all(&folder).expect("a folder");
    let before = std::env::current_dir().expect("a folder");
    // An address may not be as long as this path; another name of the folder is shorter.
    let short = root.join("short");
    std::os::unix::fs::symlink(&folder, &short).expect("a link");
    let listener = UnixListener::bind(short.join("socket")).expect("a socket");
    let socket = connect(&folder.join("socket")).expect("it is connected");
    Console::open(None).expect("a devpts").send(socket.as_fd()).expect("it is sent");
    let (theirs, _) = listener.accept().expect("somebody connected");
    receive(theirs.as_fd()).expect("it is received");
    let failure = connect(&folder.join("absent")).expect_err("there is none").to_string();
    assert!(failure.contains("cannot connect to the console socket"), "{failure}");
    assert_eq!(before, std::env::current_dir().expect("a folder"));
    std::fs::remove_dir_all(&root).expect("what this test made");
}

const FAKE: &str = "console::tests::what_an_image_has_in_the_place_of_terminals_is_not_opened";

#[test]
fn what_an_image_has_in_the_place_of_terminals_is_not_opened() {
    inside(FAKE, &[UNSHARE, "--user", "--map-root-user", "--mount"], || {
        let decoy = std::env::temp_dir().join(format!("stockade-decoy-{}", std::process::id()));
        std::fs::write(&decoy, "").expect("a file");
        rustix::mount::mount_bind(&decoy, "/dev/pts/ptmx").expect("it is mounted");
        let failure = Console::open(None).err().expect("it is covered").to_string();
        assert!(failure.contains("/dev/pts/ptmx"), "{failure}");
        device().expect("this is the kernel's");
        rustix::mount::mount_bind("/dev/null", "/dev/ptmx").expect("it is mounted");
        assert_eq!(device().err(), Some(Errno::NOTTY), "it is another device");
        rustix::mount::mount_bind(&decoy, "/dev/ptmx").expect("it is mounted");
        assert_eq!(device().err(), Some(Errno::NOTTY), "it is a file");
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("none", "/dev/pts", "tmpfs", flags, None).expect("it is mounted");
        std::fs::write("/dev/pts/ptmx", "").expect("a file");
        let failure = Console::open(None).err().expect("it is another's").to_string();
        assert!(failure.contains("no devpts"), "{failure}");
        std::fs::remove_file(&decoy).expect("what this test made");
    });
}

const STDIO: &str = "console::tests::a_terminal_becomes_the_standard_streams_and_controls";

#[test]
fn a_terminal_becomes_the_standard_streams_and_controls() {
    if !is_inside(STDIO) {
        let output = tests::run(STDIO, &["env"]);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let console = Console::open(None).expect("there is a devpts");
    let name = console.name.clone();
    let (ours, theirs) = pair().expect("a socket");
    console.send(theirs.as_fd()).expect("it is sent");
    // Closed before the end, it would end this process.
    std::mem::forget(receive(ours.as_fd()).expect("it is received"));
    console.into_stdio().expect("it is ours");
    for stream in [stdio::stdin(), stdio::stdout(), stdio::stderr()] {
        assert_eq!(termios::ttyname(stream, Vec::new()), Ok(name.clone()));
    }
    assert_eq!(process::getsid(None), Ok(process::getpid()));
    File::options().write(true).open("/dev/tty").expect("it controls this process");
}

const SHOWN: &str = "console::tests::shown";

/// What [`Shown`] has run in a process of its own: a line for the shell in the place of a container,
/// with a terminal or without.
#[test]
#[expect(clippy::print_stdout, reason = "the process says to the other one how it went")]
fn shown() {
    if !is_inside(SHOWN) {
        return;
    }
    let line = std::env::var("STOCKADE_TEST_LINE").expect("a line");
    let mut foreground = Foreground::prepare().expect("signals are caught");
    let blocked = u64::from_str_radix(&tests::status("SigBlk"), 16).expect("a set");
    for (signal, expected) in [(1, true), (15, true), (64, true), (11, false), (17, false)] {
        assert_eq!(blocked >> (signal - 1) & 1 == 1, expected, "{signal}");
    }
    let mut command = Command::new("setsid");
    if std::env::var_os("STOCKADE_TEST_TERMINAL").is_some() {
        let console = Console::open(None).expect("there is a devpts");
        let slave = || File::from(console.slave.try_clone().expect("a descriptor"));
        command.stdin(slave()).stdout(slave()).stderr(slave()).arg("-c");
        foreground.attach(console.master.try_clone().expect("a descriptor")).expect("attached");
    } else {
        command.stdin(Stdio::null());
    }
    let mut child = command.args(["sh", "-c", &line]).spawn().expect("it is executed");
    drop(command);
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a number");
    let process = process::pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
    let status = foreground.wait(process.as_fd()).expect("it ends");
    child.wait().expect_err("it was reaped");
    println!("STATUS {status}");
}

/// A test has a thread of its own, and the first one of its process would take the signals.
const ALONE: [&str; 4] =
    ["env", "--block-signal=USR1", "--block-signal=TERM", "--block-signal=WINCH"];

/// A caller at a terminal, which looks at a container in the foreground.
struct Shown {
    caller: Child,
    master: File,
    terminal: OwnedFd,
    said: String,
}

impl Shown {
    fn new(line: &str, has_terminal: bool) -> Self {
        let terminal = Console::open(Some(size(24, 80))).expect("there is a devpts");
        let stream = || Stdio::from(terminal.slave.try_clone().expect("a descriptor"));
        let mut command = tests::command(SHOWN, &ALONE);
        command.env("STOCKADE_TEST_LINE", line);
        if has_terminal {
            command.env("STOCKADE_TEST_TERMINAL", "1");
        }
        let caller = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn();
        let flags = fs::fcntl_getfl(&terminal.master).expect("it is open");
        fs::fcntl_setfl(&terminal.master, flags | OFlags::NONBLOCK).expect("it is open");
        Self {
            caller: caller.expect("it is executed"),
            master: File::from(terminal.master),
            terminal: terminal.slave,
            said: String::new(),
        }
    }

    /// Waits until the word is shown.
    fn expect(&mut self, word: &str) {
        let begun = Instant::now();
        while !self.said.contains(word) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no {word:?} in {:?}", self.said);
            let mut bytes = [0; 4096];
            match self.master.read(&mut bytes) {
                Ok(length) => {
                    let bytes = bytes.get(..length).expect("what was read");
                    self.said.push_str(&String::from_utf8_lossy(bytes));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn is_raw(&self) -> bool {
        let modes = termios::tcgetattr(&self.terminal).expect("a terminal");
        !modes.local_modes.contains(LocalModes::ICANON)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.caller.id().cast_signed()).expect("a number");
        process::kill_process(pid, signal).expect("it runs");
    }

    fn end(mut self, status: i32) {
        self.expect(&format!("STATUS {status}"));
        assert!(self.caller.wait().expect("it ends").success());
        assert!(!self.is_raw(), "the terminal is as it was");
    }
}

/// A test that fails leaves nobody behind; what is in the place of the container ends by itself.
impl Drop for Shown {
    fn drop(&mut self) {
        let _ = self.caller.kill();
        let _ = self.caller.wait();
    }
}

#[test]
fn a_terminal_is_shown_both_ways_and_given_back() {
    let mut shown = Shown::new("stty size; read word; echo got $word; exit 7", true);
    shown.expect("24 80");
    assert!(shown.is_raw());
    shown.master.write_all(b"hello\r").expect("it is written");
    shown.expect("got hello\r\n");
    assert!(!shown.said.contains("\r\r"), "one end of a line each: {:?}", shown.said);
    shown.end(7);
}

#[test]
fn a_change_of_size_is_passed_on() {
    let line =
        "trap 'stty size; exit 5' WINCH; echo ready; for i in $(seq 2000); do sleep 0.05; done";
    let mut shown = Shown::new(line, true);
    shown.expect("ready");
    termios::tcsetwinsize(&shown.master, winsize(44, 123)).expect("a terminal");
    // The caller is not in the terminal's foreground here: the kernel does not tell it.
    shown.signal(Signal::WINCH);
    shown.expect("44 123");
    shown.end(5);
}

#[test]
fn signals_are_passed_on_and_the_one_that_ends_it_is_in_the_status() {
    for has_terminal in [false, true] {
        let line = "trap 'echo one' USR1; echo ready; for i in $(seq 2000); do sleep 0.05; done";
        let mut shown = Shown::new(line, has_terminal);
        shown.expect("ready");
        shown.signal(Signal::USR1);
        shown.expect("one");
        shown.signal(Signal::TERM);
        shown.end(128 + 15);
    }
}

#[test]
fn all_of_a_long_output_is_shown_after_the_end() {
    let mut shown = Shown::new("seq 1 20000; echo last", true);
    shown.expect("last\r\n");
    for number in [1, 9999, 19999] {
        assert!(shown.said.contains(&format!("{number}\r\n{}\r\n", number + 1)), "{number}");
    }
    shown.end(0);
}
