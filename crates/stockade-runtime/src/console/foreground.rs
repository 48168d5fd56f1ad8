//! [`Foreground`]: a container that somebody waits for, at their terminal.

use std::ffi::c_int;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{self, PollFd, PollFlags, Timespec};
use rustix::fs::{self, OFlags};
use rustix::io::{self, Errno};
use rustix::process::{self, WaitId, WaitIdOptions};
use rustix::stdio;
use rustix::termios::{self, OptionalActions, OutputModes, Termios};

use crate::failure::{Context as _, Failure, Outcome};
use crate::sys::process::{catch, caught, send_signal};

/// How much is copied at once: what a pipe that is ready takes without making us wait.
const PIECE: usize = 4096;

/// Passes signals on to the container's process, and shows its terminal, until it ends. When it is
/// dropped, the caller's terminal is as it was.
pub(crate) struct Foreground {
    signals: OwnedFd,
    master: Option<OwnedFd>,
    /// Kept for its end: it gives the terminal back.
    raw: Option<Raw>,
}

impl Foreground {
    /// From here on no signal ends this program which may be passed on. Before the process is made, so
    /// that none is lost; whoever executes a program unblocks them again, as [`crate::sys::process::exec`]
    /// and hooks do.
    pub(crate) fn prepare() -> Outcome<Self> {
        let signals = catch(passed_on()).context(|| "cannot take signals".into())?;
        Ok(Self { signals, master: None, raw: None })
    }

    /// The container has a terminal of its own, to be shown at that of this program. Before the
    /// container's program runs, which may look at its terminal.
    pub(crate) fn attach(&mut self, master: OwnedFd) -> Outcome<()> {
        let what = || "cannot attach the terminal".into();
        let flags = fs::fcntl_getfl(&master).context(what)?;
        fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK).context(what)?;
        // Ends of lines are made by the caller's terminal, or not at all where that is a file.
        let mut modes = termios::tcgetattr(&master).context(what)?;
        modes.output_modes.remove(OutputModes::ONLCR);
        termios::tcsetattr(&master, OptionalActions::Now, &modes).context(what)?;
        resize(&master);
        self.raw = Raw::new().context(what)?;
        self.master = Some(master);
        Ok(())
    }

    /// Waits for the process, a child of this one. Gives its exit status, or 128 and the signal that
    /// ended it.
    pub(crate) fn wait(mut self, process: BorrowedFd<'_>) -> Outcome<i32> {
        let mut copy = Copy::new();
        let mut status = None;
        loop {
            if let Some(status) = status
                && self.master.is_none()
                && copy.to_caller.is_empty()
            {
                return Ok(status);
            }
            let ready = self.poll(process, &copy, status.is_some())?;
            if ready.signals {
                let passed = self.pass_on(process)?;
                if let (true, Some(status)) = (passed, status) {
                    // It has ended, and somebody does not want to wait for the rest of what it wrote.
                    return Ok(status);
                }
            }
            if ready.process && status.is_none() {
                status = Some(reap(process)?);
            }
            copy.step(&mut self.master, &ready, status.is_some());
        }
    }

    /// Waits until something can be done.
    fn poll(&self, process: BorrowedFd<'_>, copy: &Copy, ended: bool) -> Outcome<Ready> {
        // In the place of what nothing is wanted of.
        let idle = (self.signals.as_fd(), PollFlags::empty());
        let when = |condition: bool, wanted| if condition { wanted } else { idle };
        let master = self.master.as_ref().map_or(idle, |master| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, copy.to_caller.is_empty());
            flags.set(PollFlags::OUT, !copy.to_master.is_empty());
            // A terminal that nothing is wanted of would still say that nobody has it open.
            when(!flags.is_empty(), (master.as_fd(), flags))
        });
        let reads = copy.reads && copy.to_master.is_empty() && self.master.is_some() && !ended;
        let mut all = [
            (self.signals.as_fd(), PollFlags::IN),
            when(!ended, (process, PollFlags::IN)),
            master,
            when(reads, (stdio::stdin(), PollFlags::IN)),
            when(!copy.to_caller.is_empty(), (stdio::stdout(), PollFlags::OUT)),
        ]
        .map(|(descriptor, flags)| PollFd::from_borrowed_fd(descriptor, flags));
        // After its end there may be nothing more to read: what there is, is there already.
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at_once = ended && copy.to_caller.is_empty();
        match event::poll(&mut all, at_once.then_some(&now)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "waiting for the container".into()),
        }
        let [signals, process, master, stdin, stdout] = all.map(|one| !one.revents().is_empty());
        Ok(Ready { signals, process, master: master || at_once, stdin, stdout })
    }

    /// Sends the process what was sent to this one. Whether it was anything but a change of the
    /// terminal's size.
    fn pass_on(&self, process: BorrowedFd<'_>) -> Outcome<bool> {
        let mut passed = false;
        while let Some(number) =
            caught(self.signals.as_fd()).context(|| "cannot read signals".into())?
        {
            match (&self.master, number) {
                (Some(master), libc::SIGWINCH) => resize(master),
                (None, libc::SIGWINCH) => {}
                // It may have ended.
                _ => passed |= matches!(send_signal(process, number), Ok(()) | Err(Errno::SRCH)),
            }
        }
        Ok(passed)
    }
}

/// What may be passed on: all but what cannot be caught, what a fault of this program raises, and what
/// the kernel says about pipes, children and the terminal of this program itself.
fn passed_on() -> impl Iterator<Item = c_int> {
    const OWN: [c_int; 14] = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGABRT,
        libc::SIGSYS,
        libc::SIGPIPE,
        libc::SIGCHLD,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGURG,
    ];
    (1..=libc::SIGRTMAX()).filter(|number| !OWN.contains(number))
}

/// What can be done without waiting.
struct Ready {
    signals: bool,
    process: bool,
    master: bool,
    stdin: bool,
    stdout: bool,
}

/// What was read on one side and not yet written on the other.
struct Copy {
    to_master: Vec<u8>,
    to_caller: Vec<u8>,
    /// The caller may say more.
    reads: bool,
    /// The caller wants to hear.
    hears: bool,
}

impl Copy {
    fn new() -> Self {
        Self { to_master: Vec::new(), to_caller: Vec::new(), reads: true, hears: true }
    }

    /// Does what can be done.
    fn step(&mut self, master: &mut Option<OwnedFd>, ready: &Ready, ended: bool) {
        if ready.stdin {
            match read(stdio::stdin()) {
                Ok(bytes) if !bytes.is_empty() => self.to_master = bytes,
                Err(Errno::AGAIN | Errno::INTR) => {}
                _ => self.reads = false,
            }
        }
        if ready.stdout {
            match io::write(stdio::stdout(), &self.to_caller) {
                Ok(length) => drop(self.to_caller.drain(..length)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Nobody hears it. The container does not stop for that.
                Err(_) => {
                    self.hears = false;
                    self.to_caller.clear();
                }
            }
        }
        if ready.master && !master.as_ref().is_none_or(|open| self.serve(open, ended)) {
            *master = None;
            self.to_master.clear();
        }
    }

    /// Copies from and to the container's terminal. Whether there can be more.
    fn serve(&mut self, master: &OwnedFd, ended: bool) -> bool {
        if !self.to_master.is_empty() {
            match io::write(master, &self.to_master) {
                Ok(length) => drop(self.to_master.drain(..length)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        if !self.to_caller.is_empty() {
            return true;
        }
        match read(master.as_fd()) {
            Ok(bytes) if bytes.is_empty() => false,
            Ok(bytes) => {
                if self.hears {
                    self.to_caller = bytes;
                }
                true
            }
            Err(Errno::INTR) => true,
            Err(Errno::AGAIN) => !ended,
            // No process has the other end open any more.
            Err(_) => false,
        }
    }
}

fn read(from: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; PIECE];
    let length = io::read(from, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn reap(process: BorrowedFd<'_>) -> Outcome<i32> {
    let status = loop {
        match process::waitid(WaitId::PidFd(process), WaitIdOptions::EXITED) {
            Ok(Some(status)) => break status,
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "cannot wait for the container".into()),
        }
    };
    let signal = || status.terminating_signal().map(|signal| 128 + signal);
    status
        .exit_status()
        .or_else(signal)
        .ok_or_else(|| Failure::new("the container ended in no way that is known"))
}

/// The size of the caller's terminal becomes that of the container's.
fn resize(master: &OwnedFd) {
    let sizes = [stdio::stdin(), stdio::stdout(), stdio::stderr()].map(termios::tcgetwinsize);
    if let Some(Ok(size)) = sizes.into_iter().find(Result::is_ok) {
        // It may be gone already.
        let _ = termios::tcsetwinsize(master, size);
    }
}

/// The caller's terminal, each key of which goes to the container. Given back when it is dropped.
struct Raw(Termios);

impl Raw {
    /// None where the caller has no terminal.
    fn new() -> Result<Option<Self>, Errno> {
        let Ok(before) = termios::tcgetattr(stdio::stdin()) else { return Ok(None) };
        let mut raw = before.clone();
        raw.make_raw();
        raw.output_modes.insert(OutputModes::OPOST);
        termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &raw)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(stdio::stdin(), OptionalActions::Now, &self.0);
    }
}
