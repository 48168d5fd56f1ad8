//! The emulated machine, as a process of this host.

use crate::{Outcome, command};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The program that is the machine.
pub(crate) const EMULATOR: &str = "qemu-system-x86_64";

/// No device but those named: no network above all. A processor without wide registers, whose state an
/// emulator is slow to save and to load at each switch.
const HARDWARE: [&str; 14] = [
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-machine",
    "pc,accel=tcg",
    "-cpu",
    "Nehalem",
    "-smp",
    "2",
    "-m",
    "2048",
    "-kernel",
];

/// The kernel's messages go to the first serial port, results to the second. What a kernel does about the
/// flaws of processors does nothing for an emulated one but to slow it down.
const KERNEL_LINE: &str = "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw init=/inside.sh panic=-1 \
                           quiet mitigations=off";

/// How much of the console is shown when the machine fails.
const TAIL: usize = 30;

/// A running machine, killed when dropped.
pub(super) struct Machine {
    child: Child,
    lines: Receiver<String>,
    console: PathBuf,
    deadline: Instant,
    is_late: bool,
}

impl Machine {
    /// Boots `kernel` from `disk`; the machine is given up after `patience`.
    pub(super) fn boot(
        kernel: &Path,
        disk: &Path,
        console: &Path,
        patience: Duration,
    ) -> Outcome<Self> {
        let mut qemu = Command::new(EMULATOR);
        qemu.args(HARDWARE).arg(kernel).args(["-append", KERNEL_LINE]);
        // A comma in a path is written twice there.
        let path = |path: &Path| path.display().to_string().replace(',', ",,");
        let drive = format!("file={},if=none,id=root,format=raw,cache=unsafe", path(disk));
        let serial = format!("file:{}", path(console));
        qemu.args(["-drive", &drive, "-device", "nvme,serial=root,drive=root"]);
        qemu.args(["-serial", &serial, "-serial", "stdio"]);
        println!("$ {}", command::line(&qemu));
        Self::start(&mut qemu, console, patience)
    }

    pub(super) fn start(
        command: &mut Command,
        console: &Path,
        patience: Duration,
    ) -> Outcome<Self> {
        let line = command::line(command);
        let failure = |error| format!("cannot run `{line}`: {error}");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failure)?;
        let output = child.stdout.take();
        let (sender, lines) = channel();
        if let Some(output) = output {
            thread::spawn(move || forward(output, &sender));
        }
        let deadline = Instant::now() + patience;
        Ok(Self { child, lines, console: console.to_owned(), deadline, is_late: false })
    }

    /// The next line of results, until the machine is off or its time is over.
    pub(super) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.is_late = true;
                None
            }
        }
    }

    /// Says what went wrong with the machine itself, if something did, with the end of what the
    /// kernel said.
    pub(super) fn end(mut self) -> Option<String> {
        let complaint = if self.is_late {
            "the virtual machine did not end in time and was killed".to_owned()
        } else {
            match self.child.wait() {
                Ok(status) if status.success() => return None,
                Ok(status) => format!("the virtual machine ended: {status}"),
                Err(error) => format!("the virtual machine cannot be waited for: {error}"),
            }
        };
        let text = fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        Some(format!("{complaint}; the end of its console:\n{tail}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends on line by line what is printed, split by bytes: what a guest prints need not be UTF-8.
fn forward(output: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}
